# What Neap needs in an account of AWS. Regions: eu-west-1, us-east-1

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
  default     = "arn:aws:iam::123456789012:user/neap"
}

variable "external_id" {
  type        = string
  description = "The external id that Neap gave this account"
  default     = "spotinst:aws:extid:0f1e"
}

provider "aws" {
  alias  = "eu_west_1"
  region = "eu-west-1"
}

provider "aws" {
  alias  = "us_east_1"
  region = "us-east-1"
}

resource "aws_iam_role" "neap" {
  provider    = aws.eu_west_1
  name        = "Neap"
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
  provider = aws.eu_west_1
  name     = "neap"
  role     = aws_iam_role.neap.id
  policy = jsonencode({
    "the policy": []
  })
}

resource "aws_sqs_queue" "eu_west_1" {
  provider                  = aws.eu_west_1
  name                      = "neap-notices"
  message_retention_seconds = 3600
  sqs_managed_sse_enabled   = true
}

resource "aws_cloudwatch_event_rule" "eu_west_1" {
  provider    = aws.eu_west_1
  name        = "neap-notices"
  description = "Interruptions of spot instances, for Neap"
  event_pattern = jsonencode({
    source      = ["aws.ec2"]
    detail-type = ["EC2 Spot Instance Interruption Warning", "EC2 Instance Rebalance Recommendation"]
  })
}

resource "aws_cloudwatch_event_target" "eu_west_1" {
  provider  = aws.eu_west_1
  rule      = aws_cloudwatch_event_rule.eu_west_1.name
  target_id = "neap"
  arn       = aws_sqs_queue.eu_west_1.arn
}

resource "aws_sqs_queue_policy" "eu_west_1" {
  provider  = aws.eu_west_1
  queue_url = aws_sqs_queue.eu_west_1.url
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "WarningsOnly"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = aws_sqs_queue.eu_west_1.arn
      Condition = { ArnEquals = { "aws:SourceArn" = aws_cloudwatch_event_rule.eu_west_1.arn } }
    }]
  })
}

resource "aws_sqs_queue" "us_east_1" {
  provider                  = aws.us_east_1
  name                      = "neap-notices"
  message_retention_seconds = 3600
  sqs_managed_sse_enabled   = true
}

resource "aws_cloudwatch_event_rule" "us_east_1" {
  provider    = aws.us_east_1
  name        = "neap-notices"
  description = "Interruptions of spot instances, for Neap"
  event_pattern = jsonencode({
    source      = ["aws.ec2"]
    detail-type = ["EC2 Spot Instance Interruption Warning", "EC2 Instance Rebalance Recommendation"]
  })
}

resource "aws_cloudwatch_event_target" "us_east_1" {
  provider  = aws.us_east_1
  rule      = aws_cloudwatch_event_rule.us_east_1.name
  target_id = "neap"
  arn       = aws_sqs_queue.us_east_1.arn
}

resource "aws_sqs_queue_policy" "us_east_1" {
  provider  = aws.us_east_1
  queue_url = aws_sqs_queue.us_east_1.url
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "WarningsOnly"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = aws_sqs_queue.us_east_1.arn
      Condition = { ArnEquals = { "aws:SourceArn" = aws_cloudwatch_event_rule.us_east_1.arn } }
    }]
  })
}

output "role_arn" {
  description = "Hand this to Neap"
  value       = aws_iam_role.neap.arn
}
