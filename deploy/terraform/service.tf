# The daemons: two tasks in two zones behind a balancer that asks whether they are ready. A deploy adds new
# ones before it ends old ones, and is taken back by itself where they do not become ready.
locals {
  layer   = <<-TOML
    [http]
    listen = "0.0.0.0:3000"
    trusted_proxies = ${jsonencode([for subnet in data.aws_subnet.public : subnet.cidr_block])}
    [telemetry]
    listen = "0.0.0.0:9090"
    [store]
    url = "file:/run/secrets/database_url"
    replicas = 2
    [webhooks]
    encryption_key = "file:/run/secrets/webhook_key"
  TOML
  profile = var.environment
  inner   = ["/v1/pause", "/v1/resume", "/v1/rollout/promote", "/v1/rollout/demote", "/v1/audit"]
}

data "aws_subnet" "public" {
  for_each = toset(var.public_subnets)
  id       = each.value
}

resource "aws_ecs_cluster" "xrpayd" {
  name = "xrpayd-${var.environment}"
  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

resource "aws_cloudwatch_log_group" "xrpayd" {
  name              = "/xrpayd/${var.environment}"
  retention_in_days = 90
}

data "aws_iam_policy_document" "tasks" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }
  }
}

# What starts the tasks may read three secrets; the tasks themselves may do nothing in AWS at all.
resource "aws_iam_role" "starter" {
  name_prefix        = "xrpayd-starter-"
  assume_role_policy = data.aws_iam_policy_document.tasks.json
}

resource "aws_iam_role_policy_attachment" "starter" {
  role       = aws_iam_role.starter.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
}

resource "aws_iam_role_policy" "secrets" {
  role = aws_iam_role.starter.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["secretsmanager:GetSecretValue"]
      Resource = [var.hot_wallet_seed_arn, var.database_url_arn, var.webhook_key_arn]
    }]
  })
}

resource "aws_iam_role" "daemon" {
  name_prefix        = "xrpayd-daemon-"
  assume_role_policy = data.aws_iam_policy_document.tasks.json
}

resource "aws_ecs_task_definition" "xrpayd" {
  family                   = "xrpayd-${var.environment}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 1024
  memory                   = 2048
  execution_role_arn       = aws_iam_role.starter.arn
  task_role_arn            = aws_iam_role.daemon.arn

  volume {
    name = "secrets"
  }
  volume {
    name = "config"
  }

  container_definitions = jsonencode([
    {
      # The daemon takes no secret from its environment in production: this one, which ends before the
      # daemon begins, writes them into files that the daemon alone may read.
      name       = "secrets"
      image      = var.image
      essential  = false
      user       = "0:0"
      entryPoint = ["/bin/sh", "-c"]
      command = [join(" && ", [
        "umask 077",
        "printenv SEED >/run/secrets/hot_wallet_seed",
        "printenv DATABASE_URL >/run/secrets/database_url",
        "printenv WEBHOOK_KEY >/run/secrets/webhook_key",
        "printenv DATABASE_CA >/run/secrets/database_ca",
        "printenv CONFIG >/etc/xrpayd/xrpayd.toml",
        "printenv LAYER >/etc/xrpayd/layer.toml",
        "chown -R 10001:10001 /run/secrets /etc/xrpayd",
      ])]
      environment = [
        { name = "CONFIG", value = var.config },
        # No secret: what the database's certificate is verified by.
        { name = "DATABASE_CA", value = var.database_ca },
        { name = "LAYER", value = local.layer },
      ]
      secrets = [
        { name = "SEED", valueFrom = var.hot_wallet_seed_arn },
        { name = "DATABASE_URL", valueFrom = var.database_url_arn },
        { name = "WEBHOOK_KEY", valueFrom = var.webhook_key_arn },
      ]
      mountPoints = [
        { sourceVolume = "secrets", containerPath = "/run/secrets" },
        { sourceVolume = "config", containerPath = "/etc/xrpayd" },
      ]
      logConfiguration = {
        logDriver = "awslogs"
        options = {
          awslogs-group         = aws_cloudwatch_log_group.xrpayd.name
          awslogs-region        = var.region
          awslogs-stream-prefix = "secrets"
        }
      }
    },
    {
      name      = "xrpayd"
      image     = var.image
      essential = true
      command = [
        "serve", "--profile=${local.profile}",
        "--config=/etc/xrpayd/xrpayd.toml", "--config=/etc/xrpayd/layer.toml",
      ]
      dependsOn              = [{ containerName = "secrets", condition = "SUCCESS" }]
      readonlyRootFilesystem = true
      # shutdown.notice (5 s) and shutdown.grace (30 s), and some.
      stopTimeout  = 45
      portMappings = [{ containerPort = 3000 }, { containerPort = 9090 }]
      healthCheck = {
        command = [
          "CMD", "xrpayd", "health", "--probe=live", "--profile=${local.profile}",
          "--config=/etc/xrpayd/xrpayd.toml", "--config=/etc/xrpayd/layer.toml",
        ]
        interval    = 10
        timeout     = 6
        retries     = 6
        startPeriod = 60
      }
      mountPoints = [
        { sourceVolume = "secrets", containerPath = "/run/secrets", readOnly = true },
        { sourceVolume = "config", containerPath = "/etc/xrpayd", readOnly = true },
      ]
      logConfiguration = {
        logDriver = "awslogs"
        options = {
          awslogs-group         = aws_cloudwatch_log_group.xrpayd.name
          awslogs-region        = var.region
          awslogs-stream-prefix = "xrpayd"
        }
      }
    },
  ])
}

resource "aws_lb" "xrpayd" {
  name                       = "xrpayd-${var.environment}"
  load_balancer_type         = "application"
  security_groups            = [aws_security_group.balancer.id]
  subnets                    = var.public_subnets
  drop_invalid_header_fields = true
  enable_deletion_protection = true
  # Longer than the daemon's http.request_timeout of 30 s, shorter than its http.idle_timeout of 75 s.
  idle_timeout = 60
  # Who asks is added at the right, where the daemon reads it from; what a client says of itself stands
  # further left and is not believed.
  xff_header_processing_mode = "append"
}

resource "aws_lb_target_group" "xrpayd" {
  name_prefix                   = "xrpay-"
  port                          = 3000
  protocol                      = "HTTP"
  target_type                   = "ip"
  vpc_id                        = var.vpc_id
  load_balancing_algorithm_type = "least_outstanding_requests"
  deregistration_delay          = 35
  health_check {
    path                = "/health/ready"
    interval            = 5
    timeout             = 3
    healthy_threshold   = 2
    unhealthy_threshold = 2
    matcher             = "200"
  }
}

resource "aws_lb_listener" "xrpayd" {
  load_balancer_arn = aws_lb.xrpayd.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = var.certificate_arn
  # The daemon speaks no TLS here and sets no such header: who ends TLS does, as nginx/headers.conf does.
  routing_http_response_strict_transport_security_header_value = "max-age=63072000; includeSubDomains"
  routing_http_response_server_enabled                         = false
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.xrpayd.arn
  }
}

# Administration is for operators, who reach the daemons from their own networks.
resource "aws_lb_listener_rule" "administration" {
  listener_arn = aws_lb_listener.xrpayd.arn
  priority     = 1
  action {
    type = "fixed-response"
    fixed_response {
      content_type = "application/json"
      message_body = "{\"code\":\"not_found\"}"
      status_code  = "404"
    }
  }
  condition {
    path_pattern {
      values = local.inner
    }
  }
}

# Ten requests a second of an address, over five minutes.
resource "aws_wafv2_web_acl" "xrpayd" {
  name  = "xrpayd-${var.environment}"
  scope = "REGIONAL"
  default_action {
    allow {}
  }
  rule {
    name     = "floods"
    priority = 1
    action {
      block {
        custom_response {
          response_code = 429
        }
      }
    }
    statement {
      rate_based_statement {
        limit              = 3000
        aggregate_key_type = "IP"
      }
    }
    visibility_config {
      cloudwatch_metrics_enabled = true
      metric_name                = "floods"
      sampled_requests_enabled   = false
    }
  }
  visibility_config {
    cloudwatch_metrics_enabled = true
    metric_name                = "xrpayd"
    sampled_requests_enabled   = false
  }
}

resource "aws_wafv2_web_acl_association" "xrpayd" {
  resource_arn = aws_lb.xrpayd.arn
  web_acl_arn  = aws_wafv2_web_acl.xrpayd.arn
}

# The names of the tasks that run, inside the network alone: Prometheus asks each for its metrics
# (prometheus.yml beside this file).
resource "aws_service_discovery_private_dns_namespace" "xrpayd" {
  name = "xrpayd-${var.environment}.internal"
  vpc  = var.vpc_id
}

resource "aws_service_discovery_service" "daemon" {
  name = "daemon"
  dns_config {
    namespace_id   = aws_service_discovery_private_dns_namespace.xrpayd.id
    routing_policy = "MULTIVALUE"
    dns_records {
      type = "A"
      ttl  = 10
    }
  }
}

resource "aws_ecs_service" "xrpayd" {
  name                              = "xrpayd"
  cluster                           = aws_ecs_cluster.xrpayd.id
  task_definition                   = aws_ecs_task_definition.xrpayd.arn
  desired_count                     = 2
  launch_type                       = "FARGATE"
  health_check_grace_period_seconds = 120
  wait_for_steady_state             = true

  # New ones first: never fewer than the two.
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = var.private_subnets
    security_groups  = [aws_security_group.daemon.id]
    assign_public_ip = false
  }

  service_registries {
    registry_arn = aws_service_discovery_service.daemon.arn
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.xrpayd.arn
    container_name   = "xrpayd"
    container_port   = 3000
  }

  depends_on = [aws_lb_listener.xrpayd]
}
