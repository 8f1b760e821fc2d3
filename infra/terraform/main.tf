# A Pumice lab by Terraform or OpenTofu: a thin wrapper of ../template.yaml, so both ways make the same lab.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

locals {
  template = coalesce(var.template, "${path.module}/../template.yaml")
  # CloudFormation takes 51,200 bytes: what it does is sent without what is said of it.
  template_body = join("\n", [
    for line in split("\n", file(local.template)) : line if !startswith(trimspace(line), "#")
  ])
  code_key = "code/${filesha256(var.zip)}.zip"
}

resource "aws_s3_object" "code" {
  bucket = var.code_bucket
  key    = local.code_key
  source = var.zip

  # The lab still runs the old code until its stack has been changed.
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_cloudformation_stack" "lab" {
  name          = var.name
  template_body = local.template_body
  capabilities  = ["CAPABILITY_IAM"]

  parameters = merge(
    var.parameters,
    {
      CodeBucket = aws_s3_object.code.bucket
      CodeKey    = aws_s3_object.code.key
      Release    = "terraform-${substr(filesha256(var.zip), 0, 10)}"
      FirstAdmin = var.first_admin
    },
  )

  lifecycle {
    # CloudFormation never tells a secret parameter, so each plan would want to set it again.
    ignore_changes = [parameters["FirstAdmin"]]
  }
}
