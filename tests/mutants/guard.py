"""What an entry of guards.py is made of, and the names of tests that many of them try."""

from dataclasses import dataclass


@dataclass
class Guard:
    name: str  # as its mark says
    replace: (
        list  # (text, what instead): the first stands once, and soon, below the mark; further ones once in its file
    )
    tests: list


PROPERTY = "test_property 300"
CONTRACT = "test_memory_contract"


def scenario(name):
    return f"test_scenarios :{name}"


def redis(name):
    return f"test_redis_contract :{name}"


def mongodb(name):
    return f"test_mongodb_contract :{name}"
