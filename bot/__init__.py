"""Attune: a self-hosted assistant that notices how people feel and answers accordingly."""
