"""One script per question about speed, memory or quality; see README.md."""
