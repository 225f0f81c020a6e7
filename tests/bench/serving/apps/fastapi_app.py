"""FastAPI on uvicorn."""

import os

import joblib
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()
pipeline = joblib.load(os.environ["MODEL"])


class Asked(BaseModel):
    """One text."""

    text: str


class Answered(BaseModel):
    """Its label."""

    intent: str


@app.post("/predict")
async def predict(asked: Asked) -> Answered:
    """The likeliest label."""
    return Answered(intent=pipeline.predict([asked.text])[0])


if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ["PORT"]), log_level="warning")
