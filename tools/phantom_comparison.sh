#!/usr/bin/env bash
# The paper's Tables 1, 3 and 7 on a phantom cohort of 120 training and 60 test studies, as docs/search.md shows them.
#
#     tools/phantom_comparison.sh WORK
#
# WORK keeps everything; killed, the same call goes on. Small volumes and a short grid: about half an hour on two cores.
set -euo pipefail
work=$1
tool="$(cd "$(dirname "$0")/.." && pwd)/.venv/bin/prostate-alm"
export PROSTATE_ALM_SALT="a salt for phantoms"
mkdir -p "$work"
cohort() { # name, studies, seed
    [ -f "$work/$1/manifest.json" ] && return
    "$tool" phantom "$work/$1-dicom" --studies "$2" --class-ratio 1:2 --dialect siemens --seed "$3"
    "$tool" prepare "$work/$1-dicom/studies" --labels "$work/$1-dicom/labels.csv" --out "$work/$1"
}
cohort training 120 1
cohort test 60 2
cat > "$work/grid.yaml" <<'GRID'
margin: [0.5, 2.0]
gamma: [1, 2]
weight: [N/3, N]
beta: [0.99, 0.999]
penalty_and_growth: [[0.2, 3], [0.3, 2]]
delta: [1.0, 2.0]
GRID
"$tool" search "$work/training" --out "$work/search" --grid "$work/grid.yaml" --members 3 \
    --epochs 20 --constrained-epochs 10 --set 'spacing_mm=[4, 4, 6]' --set 'spatial_shape=[16, 16, 6]' \
    --set 'member_def::channels=[8, 16]' --set 'member_def::pooling=[[2, 2, 1], [8, 8, 6]]' \
    --set 'member_def::hidden=16' --set learning_rate=0.003 --set state_interval=0
"$tool" evaluate "$work/search" "$work/test" --out "$work/evaluations"
"$tool" compare "$work/evaluations" --out "$work/comparison"
