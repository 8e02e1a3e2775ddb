variable "stage" { type = string }

resource "terraform_data" "app" {
  input = var.stage
}
