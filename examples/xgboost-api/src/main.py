"""Says how likely a customer is to leave, by an XGBoost model that train.py made."""

import json
import logging
import logging.handlers
import os
import pathlib

import flask
import numpy
import prometheus_client
import xgboost
import yaml

FEATURES = ["months", "monthly_charge", "support_calls"]
HERE = pathlib.Path(__file__).parent.parent

config = yaml.safe_load((HERE / "config.yaml").read_text())
model = xgboost.Booster(model_file=HERE / "model.json")
asked = prometheus_client.Counter("predictions", "Predictions by their answer", ["leaves"])
app = flask.Flask(__name__)


class JSONFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record):
        return json.dumps({"level": record.levelname.lower(), "logger": record.name, "message": record.getMessage()})


def start_logging():
    handlers = [logging.StreamHandler()]
    if "LOG_DIR" in os.environ:
        handlers.append(logging.handlers.RotatingFileHandler(os.path.join(os.environ["LOG_DIR"], "service.log"), maxBytes=10_000_000, backupCount=3))
    for handler in handlers:
        handler.setFormatter(JSONFormatter())
    logging.basicConfig(level=os.environ.get("LOG_LEVEL", "info").upper(), handlers=handlers)


start_logging()


@app.get("/health")
def health():
    return {"status": "ok", "environment": os.environ.get("APP_ENV")}


@app.post("/predict")
def predict():
    customer = flask.request.get_json()
    row = numpy.array([[float(customer[f]) for f in FEATURES]])
    chance = float(model.predict(xgboost.DMatrix(row, feature_names=FEATURES))[0])
    leaves = chance >= config["threshold"]
    asked.labels(str(leaves).lower()).inc()
    logging.getLogger("predict").info("chance %.3f", chance)
    return {"chance": round(chance, 3), "leaves": leaves}


@app.errorhandler(KeyError)
def missing(error):
    return {"error": f"{error.args[0]} is missing"}, 400


@app.get("/metrics")
def metrics():
    return prometheus_client.generate_latest(), 200, {"Content-Type": prometheus_client.CONTENT_TYPE_LATEST}
