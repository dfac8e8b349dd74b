<?php
// A list of records behind every usual kind of paging. Its state is a file: rows, the calls so far, and moves: what
// happens to the rows once that many calls have been answered.
$file = __DIR__ . '/list.json';
$state = json_decode(file_get_contents($file), true);
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
if ($path === '/ready') { echo 'ready'; exit; }

$rows = $state['rows'];
if (isset($_GET['since'])) {
    $rows = array_values(array_filter($rows, fn($row) => strcmp($row['changed'], $_GET['since']) >= 0));
}
usort($rows, fn($a, $b) => [$a['changed'], $a['id']] <=> [$b['changed'], $b['id']]);
$size = min((int)($_GET['limit'] ?? 1000000), $state['most'] ?? 1000000);
$from = match ($path) {
    '/numbers' => ((int)$_GET['page'] - 1) * $size,
    '/cursors' => (int)base64_decode($_GET['cursor'] ?? ''),
    default => (int)($_GET['offset'] ?? 0),
};
$part = array_slice($rows, $from, $size);
$next = $from + $size < count($rows) ? $from + $size : null;
$base = 'http://' . $_SERVER['HTTP_HOST'];
$link = $next === null ? null : "$path?" . http_build_query(['offset' => $next] + $_GET);

header('Content-Type: application/json');
if ($path === '/linked' && $link !== null) {
    header("Link: <$base/other>; rel=\"prev\", <$base$link>; title=\"a, b\"; rel=\"next\"");
}
$etag = '"' . md5(json_encode($rows)) . '"';
if ($path === '/whole') {
    header("ETag: $etag");
    if (($_SERVER['HTTP_IF_NONE_MATCH'] ?? '') === $etag) { http_response_code(304); $part = null; }
}
if ($part !== null) {
    echo json_encode(match ($path) {
        '/links' => ['data' => ['records' => $part], 'links' => ['next' => $link]],
        '/cursors' => ['data' => $part, 'next' => $next === null ? null : base64_encode((string)$next)],
        default => $part,
    });
}

$state['calls'][] = $_SERVER['REQUEST_URI'];
foreach ($state['moves'][count($state['calls'])] ?? [] as $id => $row) {
    $state['rows'] = array_values(array_filter($state['rows'], fn($one) => $one['id'] !== (string)$id));
    if ($row !== null) { $state['rows'][] = $row; }
}
file_put_contents($file, json_encode($state));
