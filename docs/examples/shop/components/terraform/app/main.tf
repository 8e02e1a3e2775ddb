variable "name" { type = string }
variable "stage" { type = string }
variable "replicas" { type = number }

resource "terraform_data" "app" {
  input = "${var.replicas} x ${var.name}-${var.stage}"
}

output "app" { value = terraform_data.app.output }
