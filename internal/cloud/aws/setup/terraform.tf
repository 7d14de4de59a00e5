# What Neap needs in an account of AWS. Regions: {{join .Regions}}

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

variable "principal" {
  type        = string
  description = "The ARN of Neap's own user or role, which may assume the role"
{{- if .Principal}}
  default     = {{quote .Principal}}
{{- end}}
}

variable "external_id" {
  type        = string
  description = "The external id that Neap gave this account"
{{- if .ExternalID}}
  default     = {{quote .ExternalID}}
{{- end}}
}
{{range .Regions}}
provider "aws" {
  alias  = {{label . | quote}}
  region = {{quote .}}
}
{{end}}
resource "aws_iam_role" "neap" {
  provider    = aws.{{label .Home}}
  name        = {{quote .Role}}
  description = "Neap works with this role"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { AWS = var.principal }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "sts:ExternalId" = var.external_id } }
    }]
  })
}

resource "aws_iam_role_policy" "neap" {
  provider = aws.{{label .Home}}
  name     = "neap"
  role     = aws_iam_role.neap.id
  policy = jsonencode({{indent 2 .Policy}})
}
{{- if not .ReadOnly}}
{{- $all := .}}
{{- range .Regions}}

resource "aws_sqs_queue" "{{label .}}" {
  provider                  = aws.{{label .}}
  name                      = {{quote $all.Queue}}
  message_retention_seconds = 3600
  sqs_managed_sse_enabled   = true
}

resource "aws_cloudwatch_event_rule" "{{label .}}" {
  provider    = aws.{{label .}}
  name        = "{{$all.Queue}}"
  description = "Interruptions of spot instances, for Neap"
  event_pattern = jsonencode({
    source      = ["aws.ec2"]
    detail-type = [{{range $n, $e := $all.Events}}{{if $n}}, {{end}}{{quote $e}}{{end}}]
  })
}

resource "aws_cloudwatch_event_target" "{{label .}}" {
  provider  = aws.{{label .}}
  rule      = aws_cloudwatch_event_rule.{{label .}}.name
  target_id = "neap"
  arn       = aws_sqs_queue.{{label .}}.arn
}

resource "aws_sqs_queue_policy" "{{label .}}" {
  provider  = aws.{{label .}}
  queue_url = aws_sqs_queue.{{label .}}.url
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "WarningsOnly"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = aws_sqs_queue.{{label .}}.arn
      Condition = { ArnEquals = { "aws:SourceArn" = aws_cloudwatch_event_rule.{{label .}}.arn } }
    }]
  })
}
{{- end}}
{{- end}}

output "role_arn" {
  description = "Hand this to Neap"
  value       = aws_iam_role.neap.arn
}
