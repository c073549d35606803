"""How lines run fast and lean. No layer needs this folder to be understood."""
