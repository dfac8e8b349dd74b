<?php
// A service that honours versions, and misbehaves by the name of a customer.
if ($_SERVER["REQUEST_METHOD"] !== "POST") { http_response_code(405); exit; }
$lock = fopen(__DIR__ . "/lock", "c");
flock($lock, LOCK_EX);
$file = __DIR__ . "/state.json";
$state = (file_exists($file) ? json_decode(file_get_contents($file), true) : []) + ["held" => [], "effects" => [], "calls" => [], "rows" => [], "token" => null];
$body = file_get_contents("php://input");
$state["calls"][] = ["action" => $_SERVER["HTTP_SOAPACTION"] ?? null, "type" => $_SERVER["CONTENT_TYPE"], "login" => $_SERVER["HTTP_AUTHORIZATION"] ?? null, "body" => $body];
function save() { global $file, $state; file_put_contents($file, json_encode($state)); }
function keep($key, $version, $values) {
    global $state;
    $held = $state["held"][$key] ?? null;
    if ($held !== null && $held[0] >= $version) return "duplicate";
    $state["held"][$key] = [$version, $values];
    $state["effects"][] = "$key-$version";
    save();
    return "ok";
}
class Plant {
    // The username token of WS-Security, checked the way the profile says.
    function Security($header) {
        global $state;
        if ($state["token"] === null) return;
        [$user, $password] = $state["token"];
        $x = simplexml_load_string("<r xmlns:wsse='http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd'/>");
        $doc = new DOMDocument(); global $body; $doc->loadXML($body);
        $get = function($name) use ($doc) { $n = $doc->getElementsByTagNameNS("*", $name); return $n->length ? $n->item(0)->textContent : ""; };
        $type = $doc->getElementsByTagNameNS("*", "Password")->item(0)->getAttribute("Type");
        $want = str_ends_with($type, "#PasswordDigest")
            ? base64_encode(sha1(base64_decode($get("Nonce")) . $get("Created") . $password, true)) : $password;
        if ($get("Username") !== $user || !hash_equals($want, $get("Password"))) throw new SoapFault("FailedAuthentication", "who are you?");
        $state["seen"] = $type; save();
    }
    function put($in) {
        global $state;
        if ($state["token"] !== null && !isset($state["seen"])) throw new SoapFault("InvalidSecurity", "no token");
        $c = $in->customer;
        if ($c->name === "client fault") throw new SoapFault("Client", "code is wrong");
        if ($c->name === "server fault") throw new SoapFault("Server", "disk full");
        if ($c->name === "known fault") throw new SoapFault("Server.Known", "已经存在");
        if ($c->name === "commits and dies") { keep($c->code, $in->version, (array)$c); throw new SoapFault("Server", "late"); }
        return ["code" => keep($c->code, $in->version, (array)$c), "id" => "R" . $c->code];
    }
    function importXml($in) {
        $x = simplexml_load_string($in->xml);
        $r = $x->record[0];
        $said = keep((string)$r["id"], (int)$r["version"], json_decode(json_encode($r), true));
        return ["return" => "<?xml version=\"1.0\" encoding=\"GBK\"?><resp account='{$in->account}'><code>$said</code><pk>单据" . $r["id"] . "</pk></resp>"];
    }
    function find($in) {
        global $state;
        $held = $state["held"][$in->key] ?? null;
        return $held === null ? [] : ["id" => "R" . $in->key, "version" => $held[0]];
    }
    function list($in) {
        global $state;
        $rows = array_values(array_filter($state["rows"], fn($row) => $row["ts"] >= $in->since));
        return ["row" => array_slice($rows, ($in->page - 1) * $in->size, $in->size)];
    }
}
save();
$version = str_contains($_SERVER["CONTENT_TYPE"], "application/soap+xml") ? SOAP_1_2 : SOAP_1_1;
$server = new SoapServer(__DIR__ . "/service.wsdl", ["soap_version" => $version, "cache_wsdl" => WSDL_CACHE_NONE]);
$server->setClass("Plant");
ob_start();
$server->handle($body);
header("Content-Length: " . ob_get_length());
ob_end_flush();
