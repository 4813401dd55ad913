# One PostgreSQL in two zones. The standby is written to synchronously, so that a promotion loses nothing that
# was answered; its password is made and turned over by RDS and is in no state of Terraform's.
resource "aws_db_subnet_group" "xrpayd" {
  name       = "xrpayd-${var.environment}"
  subnet_ids = var.private_subnets
}

resource "aws_db_parameter_group" "xrpayd" {
  name   = "xrpayd-${var.environment}"
  family = "postgres15"

  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }
}

resource "aws_db_instance" "xrpayd" {
  identifier                  = "xrpayd-${var.environment}"
  engine                      = "postgres"
  engine_version              = "15"
  ca_cert_identifier          = "rds-ca-rsa2048-g1"
  instance_class              = var.database_instance_class
  allocated_storage           = 100
  max_allocated_storage       = 500
  storage_type                = "gp3"
  storage_encrypted           = true
  db_name                     = "xrpayd"
  username                    = "xrpayd_owner"
  manage_master_user_password = true
  multi_az                    = true
  publicly_accessible         = false
  db_subnet_group_name        = aws_db_subnet_group.xrpayd.name
  parameter_group_name        = aws_db_parameter_group.xrpayd.name
  vpc_security_group_ids      = [aws_security_group.database.id]

  # Point-in-time recovery over 30 days, and nothing that deletes the books in passing.
  backup_retention_period   = 30
  backup_window             = "02:00-03:00"
  maintenance_window        = "sun:04:00-sun:05:00"
  copy_tags_to_snapshot     = true
  deletion_protection       = true
  skip_final_snapshot       = false
  final_snapshot_identifier = "xrpayd-${var.environment}-final"

  performance_insights_enabled    = true
  enabled_cloudwatch_logs_exports = ["postgresql", "upgrade"]

  lifecycle {
    prevent_destroy = true
  }
}
