# An MCP server for tests: `sh server.sh NAME`. The tool `die` ends it, `hang` does not answer; each call is a
# line in $LOG.
name="$1"
# With a file `v2`, it has the tool `new` instead.
answer() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$1"; }
while read -r line; do
  id=$(printf '%s' "$line" | sed -n 's/.*"id":\("[^"]*"\|[0-9]*\).*/\1/p')
  case "$line" in
    *'"method":"initialize"'*)
      answer '{"protocolVersion":"2025-06-18","capabilities":{"tools":{},"resources":{}},"serverInfo":{"name":"'"$name"'","version":"1"},"instructions":"I am '"$name"'."}' ;;
    *'"method":"tools/list"'*)
      [ -e v2 ] && answer '{"tools":[{"name":"new","inputSchema":{"type":"object"}}]}' && continue
      answer '{"tools":[{"name":"read","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":true}},{"name":"write","inputSchema":{"type":"object"}}]}' ;;
    *'"method":"resources/list"'*) answer '{"resources":[{"uri":"'"$name"':one","name":"one"}]}' ;;
    *'"method":"resources/read"'*) answer '{"contents":[{"uri":"'"$name"':one","text":"'"$name"'"}]}' ;;
    *'"die"'*) echo "$name die" >> "$LOG"; kill -9 $$ ;;
    *'"hang"'*) echo "$name hang" >> "$LOG"; sleep 1000 ;;
    *'"method":"tools/call"'*)
      echo "$name call" >> "$LOG"
      answer '{"content":[{"type":"text","text":"'"$name"' '"$$"'"}]}' ;;
    *'"method":"notifications/'*) ;;
    *) [ -n "$id" ] && answer '{}' ;;
  esac
done
