# xrpayd on AWS: two tasks behind a load balancer, in private subnets of two zones, each with the
# daemon as a container, on one PostgreSQL in two zones (RDS). docs/DEPLOYMENT.md says what of this was
# validated and what was not.
terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source = "hashicorp/aws"
      # With the headers that a listener adds, new ones and changed ones.
      version = "~> 5.90"
    }
  }
}

provider "aws" {
  region = var.region
  default_tags {
    tags = {
      service     = "xrpayd"
      environment = var.environment
    }
  }
}
