<?php
// A service of the old kind: remote procedures with strings, and XML inside them.
class Old {
    function importXml($account, $xml) {
        $id = (string)simplexml_load_string($xml)->record[0]["id"];
        return "<resp><code>ok</code><pk>$account-$id</pk></resp>";
    }
}
if ($_SERVER["REQUEST_METHOD"] !== "POST") { http_response_code(405); exit; }
$server = new SoapServer(__DIR__ . "/service.wsdl", ["cache_wsdl" => WSDL_CACHE_NONE]);
$server->setClass("Old");
$server->handle(file_get_contents("php://input"));
