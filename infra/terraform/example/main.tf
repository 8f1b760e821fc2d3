provider "aws" {
  region = "eu-central-1"
}

variable "first_admin" {
  type      = string
  sensitive = true
}

resource "aws_s3_bucket" "code" {
  bucket_prefix = "pumice-code-"
}

resource "aws_s3_bucket_public_access_block" "code" {
  bucket                  = aws_s3_bucket.code.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

module "lab" {
  source      = "../"
  name        = "board-lab"
  code_bucket = aws_s3_bucket.code.id
  zip         = "../../../dist/lambda.zip"
  first_admin = var.first_admin

  parameters = {
    RetentionDays    = "90"
    AlarmEmail       = "lab@example.org"
    MonthlyBudgetUsd = "10"
  }
}

output "url" {
  value = module.lab.url
}
