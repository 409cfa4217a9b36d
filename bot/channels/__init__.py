"""The public channels: where people's words come in and answers go out."""
