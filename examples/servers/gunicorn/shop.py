import sqlite3

from flask import Flask, jsonify

app = Flask(__name__)


@app.get("/")
def greeting():
    return "hello\n"


@app.get("/version")
def version():
    return jsonify(sqlite=sqlite3.sqlite_version)
