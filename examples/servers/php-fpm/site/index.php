<?php
$database = new PDO("sqlite::memory:");
echo json_encode([
    "greeting" => mb_strtolower("HELLO"),
    "sum" => $database->query("select 1 + 2")->fetchColumn(),
    "year" => (new DateTime("2024-01-01", new DateTimeZone("Europe/Berlin")))->format("Y"),
]);
