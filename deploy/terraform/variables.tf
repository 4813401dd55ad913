variable "region" {
  description = "The region that everything is in."
  type        = string
}

variable "environment" {
  description = "What kind of place this is; secrets and the database are kept apart by it."
  type        = string
  validation {
    condition     = contains(["staging", "production"], var.environment)
    error_message = "The environment is staging or production."
  }
}

variable "vpc_id" {
  description = "The network that everything is in."
  type        = string
}

variable "private_subnets" {
  description = "Subnets in two zones at least, with a way out and none in."
  type        = list(string)
  validation {
    condition     = length(var.private_subnets) >= 2
    error_message = "Two zones are the least, so that one of them may fail."
  }
}

variable "public_subnets" {
  description = "Subnets of the balancer, in the same zones."
  type        = list(string)
  validation {
    condition     = length(var.public_subnets) >= 2
    error_message = "Two zones are the least, so that one of them may fail."
  }
}

variable "operator_networks" {
  description = "Private networks that operators and Prometheus ask from."
  type        = list(string)
  validation {
    condition     = !contains(var.operator_networks, "0.0.0.0/0")
    error_message = "Operators' networks are private ones."
  }
}

variable "certificate_arn" {
  description = "The certificate of the API's name."
  type        = string
}

variable "image" {
  description = "The image of xrpayd, by digest."
  type        = string
  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.image))
    error_message = "An image is named by its digest: a tag may be another image tomorrow."
  }
}

variable "config" {
  description = "The operator's own part of the configuration: servers of the ledger and the wallet (TOML)."
  type        = string
}

variable "hot_wallet_seed_arn" {
  description = "The secret in Secrets Manager that holds the seed. Made by hand: Terraform's state never sees it."
  type        = string
}

variable "webhook_key_arn" {
  description = "The secret in Secrets Manager that holds the key which seals webhook secrets."
  type        = string
}

variable "database_url_arn" {
  description = "The secret in Secrets Manager that holds the whole URL of the database, as the output `database_url` has it."
  type        = string
}

variable "database_ca" {
  description = "The authorities of RDS in this region (PEM): the bundle that AWS publishes, as file(\"rds-ca.pem\")."
  type        = string
  validation {
    # The bundle of all regions is larger than a task's definition may be.
    condition     = startswith(trimspace(var.database_ca), "-----BEGIN CERTIFICATE-----") && length(var.database_ca) < 16384
    error_message = "The region's own bundle, as certificates in PEM, of at most 16 kB."
  }
}

variable "database_instance_class" {
  description = "The size of the database's machines."
  type        = string
  default     = "db.t4g.medium"
}
