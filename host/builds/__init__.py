"""A network and a target made into a folder that holds everything a board needs, with a receipt of what was checked."""
