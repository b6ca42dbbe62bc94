"""Tests of the kit: the promises every service leans on."""
