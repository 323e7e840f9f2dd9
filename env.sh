export HOME=/tmp/stranger/home
unset XDG_STATE_HOME XDG_CONFIG_HOME XDG_RUNTIME_DIR
cd /tmp/stranger
p() { ./in ./pw "$@"; local r=$?; echo "[exit $r]"; return $r; }
