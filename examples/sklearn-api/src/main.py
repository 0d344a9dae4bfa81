"""An iris classifier behind two routes."""

import pandas as pd
from fastapi import FastAPI
from pydantic import BaseModel
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

iris = load_iris(as_frame=True)
model = LogisticRegression(max_iter=500).fit(iris.data, iris.target)
app = FastAPI()


class Flower(BaseModel):
    sepal_length: float
    sepal_width: float
    petal_length: float
    petal_width: float


@app.get("/health")
def health() -> dict:
    return {"status": "ok"}


@app.post("/predict")
def predict(flower: Flower) -> dict:
    row = pd.DataFrame([list(flower.model_dump().values())], columns=iris.feature_names)
    return {"species": str(iris.target_names[model.predict(row)[0]])}
