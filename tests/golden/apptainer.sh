#!/bin/bash
# A job of bnnray on the nodes of a Slurm job; `bnnray submit` fills in what stands in @{...}.
#
#   USR1 (Slurm sends it before the time limit)   drain, then run again where the site allows it
#   USR2 (bnnray cancel)                          drain, then end
#
# The exit code is that of bnnray run; 75 says that work is left and the same command goes on.
#SBATCH --job-name=mine
#SBATCH --chdir=/shared/me/runs/mine/slurm
#SBATCH --partition=main
#SBATCH --licenses=gurobi:4
#SBATCH --nodes=3
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=2
#SBATCH --gpus-per-node=1
#SBATCH --time=0:10:00
#SBATCH --signal=B:USR1@61
#SBATCH --no-kill
#SBATCH --no-requeue
#SBATCH --open-mode=append

export BNNRAY_RUN=/shared/me/runs/mine BNNRAY_INTERFACE='' BNNRAY_SCRATCH=/mnt



set -u
PYTHON=(apptainer exec --nv --bind=/shared '/shared/bnnray images/bnnray.sif' python3)
COMMAND=(run /shared/me/runs/mine/slurm/job.toml --runs-dir /shared/me/runs --set resources.gurobi_tokens=4 --grace 5 --nodes 3 --min-nodes 1 --node-wait 120)
WORK=/shared/me
REQUEUES=0
RESUME='bnnray submit jobs/mine.toml'
START_SECONDS=300

export BNNRAY_LOGS=$BNNRAY_RUN/slurm BNNRAY_TRY=${SLURM_RESTART_COUNT:-0} BNNRAY_REQUEUES=$REQUEUES
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=$BNNRAY_LOGS/$SLURM_JOB_ID.token
export RAY_USAGE_STATS_ENABLED=0 RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO=0 PYTHONUNBUFFERED=1
export RAY_memory_monitor_refresh_ms=0            # a neighbour's memory is no reason to end a keeper
export RAY_gcs_rpc_server_reconnect_timeout_s=20  # a node notices that the head is lost
export RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S=5    # shorter than Slurm's KillWait

say() {
    echo "$(date +%T) [Slurm job $SLURM_JOB_ID, start $((BNNRAY_TRY + 1)), $SLURMD_NODENAME] $*"
}

alive() {
    kill -0 "$1" 2>/dev/null
}

# A pause that a signal's trap may end.
pause() {
    sleep "$1" &
    wait "$!"
}

# Whether Ray's head answers; one whose node is lost gives no answer at all.
head_answers() {
    timeout 20 "${PYTHON[@]}" -m ray.scripts.scripts health-check --address "$RAY_ADDRESS" \
        >/dev/null 2>&1
}

address_of_node() {
    if [ -n "$BNNRAY_INTERFACE" ]; then
        ip -4 -o address show dev "$BNNRAY_INTERFACE" | awk '{split($4, a, "/"); print a[1]; exit}'
    else
        hostname -I | awk '{print $1}'
    fi
}

# Ports on this node that nobody has: as many as asked for, from a number of the job's own on. The
# head's five come first, the sixth is for what every node has.
free_ports() {
    "${PYTHON[@]}" -m bnnray.submit.ports "$SLURM_JOB_ID" "$1"
}

# Megabytes that the job may use on this node.
memory_of_node() {
    local memory=${SLURM_MEM_PER_NODE:-0}
    [ "$memory" -gt 0 ] || memory=$((${SLURM_MEM_PER_CPU:-0} * SLURM_CPUS_PER_TASK))
    [ "$memory" -gt 0 ] || memory=$(awk '/^MemAvailable/ {print int($2 / 1024)}' /proc/meminfo)
    echo "$memory"
}

# Ray on this node until TERM; begun anew when it dies, but for the head, which holds its state.
# Arguments: those of `ray start`, "--head" first where this is the head.
ray_node() {
    local child='' ending='' memory store port temporary
    trap 'ending=1; [ -z "$child" ] || kill -TERM "$child"' TERM
    temporary=$BNNRAY_SCRATCH/bnnray-$SLURM_JOB_ID
    rm -rf "$temporary"
    mkdir -m 700 "$temporary" || exit 1
    "${PYTHON[@]}" -m bnnray.cli.main warmup &
    await "$!"
    memory=$(memory_of_node)
    store=$((memory / 10 < 100 ? 100 : memory / 10 > 2000 ? 2000 : memory / 10))
    while [ -z "$ending" ]; do
        port=$(free_ports 6)
        "${PYTHON[@]}" -m ray.scripts.scripts start "$@" --block --disable-usage-stats \
            --temp-dir="$temporary" --node-ip-address="$(address_of_node)" \
            --dashboard-agent-listen-port="${port##* }" --min-worker-port=0 --max-worker-port=0 \
            --num-cpus="$SLURM_CPUS_PER_TASK" \
            --num-gpus="${SLURM_GPUS_ON_NODE:-0}" --memory=$(((memory - store) * 1000000)) \
            --object-store-memory=$((store * 1000000)) &
        await "$!"
        [ -z "$ending" ] || break
        say "Ray ended on this node"
        [ "$1" != --head ] || break
        head_answers || head_lost
        pause 2
    done
    rm -rf "$temporary"
}

# Waits for a child of ray_node, which TERM ends.
await() {
    child=$1
    while alive "$child"; do wait "$child"; done
    child=''
}

# With the head's node the batch script may be lost, and then nobody else is left to say so; its srun,
# which takes what this node says to a file, is lost too.
head_lost() {
    pause 15
    [ -z "$ending" ] || return
    head_answers && return
    ending=1
    exec >>"$BNNRAY_LOGS/slurm-$SLURM_JOB_ID.out" 2>&1
    if [ "$BNNRAY_TRY" -lt "$BNNRAY_REQUEUES" ]; then
        say "the head's node is lost: this node asks Slurm to run the job again"
        scontrol requeue "$SLURM_JOB_ID"
    else
        say "the head's node is lost: this node ends the job"
        scancel "$SLURM_JOB_ID"
    fi
}

# A step of the job that runs ray_node; the arguments of srun, then "--" and those of ray_node.
step() {
    local options=() functions
    while [ "$1" != -- ]; do options+=("$1") && shift; done
    functions=$(declare -f say alive pause head_answers address_of_node free_ports memory_of_node \
        ray_node await head_lost; declare -p PYTHON)
    shift
    exec srun --export=ALL --overlap --no-kill --kill-on-bad-exit=0 --wait=0 --ntasks-per-node=1 \
        --cpus-per-task="$SLURM_CPUS_PER_TASK" "${options[@]}" \
        bash -uc "$functions; ray_node \"\$@\"" ray_node "$@" \
        >>"$BNNRAY_LOGS/$SLURM_JOB_ID.nodes.log" 2>&1
}

head='' workers='' driver='' again='' ended=''

drain() {
    say "drains, $1"
    ended=1
    [ -z "$driver" ] || kill -USR1 "$driver" 2>/dev/null
}
trap 'again=1; drain "as Slurm asked"' USR1
trap 'again=; drain "as bnnray cancel asked"' USR2
trap 'ended=1; leave 75' TERM

# Ends what this script has started, and nothing else of this user: the workers first, as they tell
# the head that they go.
down() {
    rm -f "$RAY_AUTH_TOKEN_PATH" "$BNNRAY_LOGS/$SLURM_JOB_ID.dashboard"
    end_step 1 "$workers"
    end_step 0 "$head"
}

# A step by its number and its srun. TERM to srun itself would have it kill the step.
end_step() {
    [ -n "$2" ] && alive "$2" || return 0
    scancel --signal=TERM "$SLURM_JOB_ID.$1" 2>/dev/null
    for _ in {1..15}; do alive "$2" && sleep 1; done
    kill -TERM "$2" 2>/dev/null # a node that was lost never answers
}

leave() {
    trap '' USR1 USR2 TERM
    down
    if [ -n "$again" ] && [ "$1" -ne 0 ] && [ "$BNNRAY_TRY" -lt "$REQUEUES" ]; then
        say "ends with $1; Slurm runs it again"
        scontrol requeue "$SLURM_JOB_ID" && sleep 600 # Slurm ends this script
    fi
    [ "$1" -ne 75 ] || say "work is left; go on with: $RESUME"
    say "ends with $1"
    echo "$1" >"$BNNRAY_LOGS/$SLURM_JOB_ID.exit"
    exit "$1"
}

say "$SLURM_JOB_NUM_NODES nodes: $SLURM_JOB_NODELIST"
mkdir -p "$BNNRAY_LOGS"
(umask 077 && head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$RAY_AUTH_TOKEN_PATH")
read -r -a ports <<<"$(free_ports 5)"
host=$(address_of_node)
export RAY_ADDRESS=$host:${ports[0]}
export DASHBOARD_METRIC_PORT=${ports[3]} AUTOSCALER_METRIC_PORT=${ports[4]}

step -N1 -n1 -w "$SLURMD_NODENAME" -- --head --port="${ports[0]}" --dashboard-host="$host" \
    --dashboard-port="${ports[1]}" --ray-client-server-port="${ports[2]}" &
head=$!
until head_answers; do
    [ -z "$ended" ] || leave 75
    alive "$head" || { say "Ray did not start: $SLURM_JOB_ID.nodes.log says why"; leave 3; }
    [ "$SECONDS" -lt "$START_SECONDS" ] || { say "Ray did not start in time"; leave 3; }
    pause 1
done
echo "$host ${ports[1]}" >"$BNNRAY_LOGS/$SLURM_JOB_ID.dashboard"
if [ "$SLURM_JOB_NUM_NODES" -gt 1 ]; then
    step -N$((SLURM_JOB_NUM_NODES - 1)) -n$((SLURM_JOB_NUM_NODES - 1)) -x "$SLURMD_NODENAME" -- \
        --address="$RAY_ADDRESS" &
    workers=$!
fi
[ -z "$ended" ] || leave 75

cd "$WORK" || leave 3
"${PYTHON[@]}" -m bnnray.cli.main "${COMMAND[@]}" --address "$RAY_ADDRESS" &
driver=$!
[ -z "$ended" ] || kill -USR1 "$driver"
while alive "$driver"; do
    pause 1
    if ! alive "$head" && [ -z "$again" ]; then
        again=1
        say "Ray's head was lost"
        for _ in {1..30}; do alive "$driver" && pause 1; done
        kill -TERM "$driver" 2>/dev/null
    fi
done
wait "$driver"
code=$?
[ "$code" -ne $((128 + 10)) ] || code=75 # USR1 came before the driver could hear it
leave "$code"
