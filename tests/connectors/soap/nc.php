<?php
// A service as sites make it on NC: one text in, a receipt of the exchange platform out, as one text.

function importXml($string) {
    $document = simplexml_load_string($string, null, LIBXML_NONET);
    $file = fopen(__DIR__ . '/state.json', 'c+');
    flock($file, LOCK_EX);
    $state = json_decode(stream_get_contents($file) ?: '{}', true);
    $state['calls'][] = ['account' => (string) $document['account'], 'replace' => (string) $document['replace']];
    $id = (string) $document->bill['id'];
    $known = isset($state['held'][$id]);
    $refused = $known && (string) $document['replace'] === 'N';
    $code = $refused ? '-32000' : '1';
    $text = $refused ? "单据{$id}不允许重复导入单据，replace标志设为‘Y’" : "单据{$id}处理完毕!";
    if (!$refused) {
        $state['held'][$id] = (string) $document->bill->billhead->scomment;
        $state['effects'][] = $id;
    }
    $fault = array_shift($state['faults']) ?? '';
    ftruncate($file, 0);
    rewind($file);
    fwrite($file, json_encode($state));
    fclose($file);
    if ($fault === 'fault') {
        throw new SoapFault('Server', 'java.lang.NullPointerException');
    }
    if ($fault === 'page') {
        return '系统维护中';
    }
    $rows = "<sendresult><bdocid>{$id}</bdocid><resultcode>{$code}</resultcode><resultdescription>"
        . htmlspecialchars($text) . "</resultdescription><content>1001A1{$id}</content></sendresult>";
    return '<?xml version="1.0" encoding="GBK"?><ufinterface successful="' . ($refused ? 'N' : 'Y')
        . "\" roottag=\"sendresult\">{$rows}</ufinterface>";
}

$server = new SoapServer(__DIR__ . '/service.wsdl');
$server->addFunction('importXml');
$server->handle();
