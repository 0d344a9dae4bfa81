"""Which of some texts is nearest to a question in what it means?"""

import os
import pathlib

from fastapi import FastAPI
from pydantic import BaseModel

from encoder import Encoder

encode = Encoder(pathlib.Path(os.environ["MODEL"]))
app = FastAPI()


class Question(BaseModel):
    question: str
    texts: list[str]


@app.get("/health")
def health() -> dict:
    return {"status": "ok"}


@app.post("/nearest")
def nearest(q: Question) -> dict:
    vectors = encode([q.question, *q.texts])
    scores = vectors[1:] @ vectors[0]
    return {"text": q.texts[scores.argmax()], "score": round(float(scores.max()), 3)}
