"""How alike are two texts?"""

from features import vector
from flask import Flask, jsonify, request

app = Flask(__name__)


@app.get("/health")
def health():
    return "ok"


@app.post("/predict")
def predict():
    body = request.get_json()
    return jsonify(similarity=round(float(vector(body["a"]) @ vector(body["b"])), 6))
