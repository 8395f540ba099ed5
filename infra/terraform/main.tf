# The same package and template as by `make deploy`, for those whose infrastructure is in Terraform: `make package` first.
terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

variable "stage" {
  description = "dev or prod."
  type        = string

  validation {
    condition     = contains(["dev", "prod"], var.stage)
    error_message = "There are the stages dev and prod."
  }
}

variable "bucket" {
  description = "An S3 bucket of the same region, for the package."
  type        = string
}

variable "alarm_email" {
  description = "Who is told of alarms; empty: nobody."
  type        = string
  default     = ""
}

locals {
  built   = "${path.module}/../../dist/aws"
  package = "audit-log/${filesha256("${local.built}/deployment.zip")}.zip"
  # Where the template names the file beside it, it has to name the object in the bucket.
  template = replace(file("${local.built}/sam.yaml"), "./deployment.zip", "s3://${var.bucket}/${local.package}")
}

resource "aws_s3_object" "package" {
  bucket      = var.bucket
  key         = local.package
  source      = "${local.built}/deployment.zip"
  source_hash = filesha256("${local.built}/deployment.zip")
}

# Too large to be sent along with the request.
resource "aws_s3_object" "template" {
  bucket  = var.bucket
  key     = "audit-log/${sha256(local.template)}.yaml"
  content = local.template
}

resource "aws_cloudformation_stack" "audit_log" {
  name         = "audit-log-${var.stage}"
  template_url = "https://${var.bucket}.s3.amazonaws.com/${aws_s3_object.template.key}"
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
  parameters = {
    Stage      = var.stage
    AlarmEmail = var.alarm_email
  }
  depends_on = [aws_s3_object.package]
}

# Once for each package: brings the database to the schema of the new code.
resource "aws_lambda_invocation" "migrate" {
  function_name = aws_cloudformation_stack.audit_log.outputs["MigrateFunction"]
  input         = jsonencode({})
  triggers      = { package = local.package }
}

output "endpoint_url" {
  value = aws_cloudformation_stack.audit_log.outputs["EndpointURL"]
}
