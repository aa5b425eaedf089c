"""What people and programs may ask of a running service: every page and route comes through here, and is authorised.

Each action takes the `Principal` that asks, and begins by asking it.
"""
