"""Event stores: adapters of the ports `EventWriter` and `EventReader`."""
