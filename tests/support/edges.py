"""What an agent with the default limits may still be given, exactly at the edge of each limit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """An agent who holds this, with this budget, is given one more item of a channel, or is not."""

    name: str
    holds: tuple[str, ...]
    wants: str
    fits: bool
    budget: int = 100


EDGES = (
    Edge(name="budget met exactly", holds=("chat", "chat"), wants="chat", fits=True, budget=99),
    Edge(name="budget short of one", holds=("chat", "chat"), wants="chat", fits=False, budget=98),
    Edge(name="mails meet it exactly", holds=("email",), wants="email", fits=True, budget=40),
    Edge(name="mails short of one", holds=("email",), wants="email", fits=False, budget=39),
    Edge(name="the third chat", holds=("chat", "chat"), wants="chat", fits=True, budget=1000),
    Edge(name="the fourth chat", holds=("chat", "chat", "chat"), wants="chat", fits=False, budget=1000),
    Edge(name="mail makes exactly the room", holds=("email", "email"), wants="chat", fits=True, budget=33),
    Edge(name="mail makes one too little", holds=("email", "email"), wants="chat", fits=False, budget=32),
    Edge(name="mail makes no room for mail", holds=("email", "email"), wants="email", fits=False, budget=59),
    Edge(name="a call on an empty desk", holds=(), wants="phone", fits=True),
    Edge(name="a mail beside a call", holds=("phone",), wants="email", fits=False, budget=1000),
    Edge(name="no budget at all", holds=(), wants="email", fits=False, budget=0),
)
