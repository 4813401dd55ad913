# Who may reach whom: clients the balancer, the balancer the API, operators metrics, the daemon its database
# and the outside. Nothing else.
resource "aws_security_group" "balancer" {
  name_prefix = "xrpayd-balancer-"
  description = "Clients of the API"
  vpc_id      = var.vpc_id
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_security_group" "daemon" {
  name_prefix = "xrpayd-daemon-"
  description = "The daemons"
  vpc_id      = var.vpc_id
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_security_group" "database" {
  name_prefix = "xrpayd-database-"
  description = "The database"
  vpc_id      = var.vpc_id
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  security_group_id = aws_security_group.balancer.id
  description       = "TLS from anywhere"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "to_daemons" {
  security_group_id            = aws_security_group.balancer.id
  referenced_security_group_id = aws_security_group.daemon.id
  ip_protocol                  = "tcp"
  from_port                    = 3000
  to_port                      = 3000
}

resource "aws_vpc_security_group_ingress_rule" "from_balancer" {
  security_group_id            = aws_security_group.daemon.id
  referenced_security_group_id = aws_security_group.balancer.id
  ip_protocol                  = "tcp"
  from_port                    = 3000
  to_port                      = 3000
}

resource "aws_vpc_security_group_ingress_rule" "operators" {
  for_each          = { for pair in setproduct(var.operator_networks, [3000, 9090]) : "${pair[0]} ${pair[1]}" => pair }
  security_group_id = aws_security_group.daemon.id
  description       = "Operators and Prometheus"
  cidr_ipv4         = each.value[0]
  ip_protocol       = "tcp"
  from_port         = each.value[1]
  to_port           = each.value[1]
}

resource "aws_vpc_security_group_egress_rule" "ledger_and_webhooks" {
  for_each          = toset(["443", "51233"])
  security_group_id = aws_security_group.daemon.id
  description       = "Servers of the ledger, receivers of webhooks, and AWS itself"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = each.value
  to_port           = each.value
}

resource "aws_vpc_security_group_egress_rule" "to_database" {
  security_group_id            = aws_security_group.daemon.id
  referenced_security_group_id = aws_security_group.database.id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}

resource "aws_vpc_security_group_ingress_rule" "from_daemons" {
  security_group_id            = aws_security_group.database.id
  referenced_security_group_id = aws_security_group.daemon.id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}
