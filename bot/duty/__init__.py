"""Paging people on duty when somebody is in danger: the roster, the senders, and the worker between them."""
