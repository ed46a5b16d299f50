"""EncryptMigrate on one machine, without AWS: an emulated account, live traffic against it, and the demo."""
