# xrpayd on AWS: two machines behind a network load balancer in private subnets of two zones, each with the
# daemon as a container, on one PostgreSQL in two zones (RDS). docs/DEPLOYMENT.md says what of this was
# validated and what was not.
terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.0"
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
