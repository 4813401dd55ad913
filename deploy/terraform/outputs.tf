output "balancer" {
  description = "The name that the API's own name points at."
  value       = aws_lb.xrpayd.dns_name
}

output "database" {
  description = "The database's address, for the URL in Secrets Manager."
  value       = aws_db_instance.xrpayd.address
}
