"""Labels by people: the sample that they are given, their answers, and what becomes of them."""
