"""The commands of `python -m app`, one module a family; they translate, the services work."""
