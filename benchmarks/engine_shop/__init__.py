"""The project of the benchmark ``engine_tests``: a few models, and 300 small tests of them."""
