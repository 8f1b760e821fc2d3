variable "name" {
  type        = string
  default     = "pumice"
  description = "The lab's name: of its stack, its table, and in front of its bucket and queues."

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name)) && length(var.name) <= 32
    error_message = "At most 32 characters: small letters, digits and single dashes, a letter first."
  }
}

variable "code_bucket" {
  type        = string
  description = "A private bucket in the provider's region that the functions' code is put into."
}

variable "zip" {
  type        = string
  description = "The functions' code: dist/lambda.zip, as scripts/bundle.mjs makes it."
}

variable "first_admin" {
  type        = string
  sensitive   = true
  description = "TOKENID:SHA256 of the first administrator's token (docs/cloud.md says how to make one)."

  validation {
    condition     = can(regex("^[0-9a-f]{16}:[0-9a-f]{64}$", var.first_admin))
    error_message = "Expected TOKENID:SHA256, 16 and 64 hex digits."
  }
}

variable "parameters" {
  type        = map(string)
  default     = {}
  description = "Other parameters of infra/template.yaml: RetentionDays, DomainName, AlarmEmail, ..."
}

variable "template" {
  type        = string
  default     = null
  description = "Another template than the one beside this module."
}
