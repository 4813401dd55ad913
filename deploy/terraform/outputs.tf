output "balancer" {
  description = "The name that the API's own name points at."
  value       = aws_lb.xrpayd.dns_name
}

output "database_url" {
  description = "What the secret of the database's URL holds, with the role's password put in."
  value       = "postgres://xrpayd:PASSWORD@${aws_db_instance.xrpayd.address}/xrpayd?sslmode=verify-full&sslrootcert=/run/secrets/database_ca"
}

output "metrics" {
  description = "The name that Prometheus looks the tasks up by."
  value       = "${aws_service_discovery_service.daemon.name}.${aws_service_discovery_private_dns_namespace.xrpayd.name}"
}
