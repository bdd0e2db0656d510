"""Two people restock a shop aisle: `dialogue.ogg`, and who says what when in `dialogue.json`."""
