#!/usr/bin/env node
const express = require("express");

const app = express();
app.get("/", (request, response) => response.send("hello\n"));
app.get("/greet/:name", (request, response) => response.json({ hello: request.params.name }));
app.listen(8080);
