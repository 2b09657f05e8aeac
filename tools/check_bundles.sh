#!/usr/bin/env bash
# MONAI's own commands on both bundles, in a temporary copy and offline; the checkout stays as it is.
#
#     tools/check_bundles.sh [PYTHON]
#
# Wants `make .venv/.ready` only: the data are phantoms and random pictures. A few minutes on 2 cores.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
python=$(realpath -s "${1:-$root/.venv/bin/python}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
state() { git -C "$root" status --porcelain --ignored -- bundles 2>/dev/null || true; }
before=$(state)

# a proxy that is not there: whatever wants the network fails
export http_proxy=http://127.0.0.1:9 https_proxy=http://127.0.0.1:9 HTTP_PROXY=http://127.0.0.1:9 HTTPS_PROXY=http://127.0.0.1:9
export no_proxy="" NO_PROXY="" OMP_NUM_THREADS=1 GLOO_SOCKET_IFNAME=lo PYTHONDONTWRITEBYTECODE=1
export PROSTATE_ALM_SALT="bundle check: nobody to protect"

step() { printf -- '-- %s\n' "$*"; }
quiet() { # shows the output of a command only if it fails
  "$@" >"$work/log" 2>&1 || { tail -n 40 "$work/log"; printf 'failed: %s\n' "$*"; exit 1; }
}
monai() { quiet "$python" -m monai.bundle "$@"; }
wants() { for file in "$@"; do test -s "$file" || { echo "missing or empty: $PWD/$file"; exit 1; }; done; }

step "data: a phantom cohort, and random pictures in CIFAR10's layout"
quiet "$(dirname "$python")/prostate-alm" phantom "$work/phantoms" --studies 20 --class-ratio 1:1 --dialect siemens --seed 1
quiet "$(dirname "$python")/prostate-alm" prepare "$work/phantoms/studies" --labels "$work/phantoms/labels.csv" --out "$work/cohort"
quiet env PYTHONPATH="$root/tools" "$python" -c \
  "import sys, pathlib, bench_trainer; bench_trainer.write_images(pathlib.Path(sys.argv[1]))" "$work/cifar-10-batches-py"
cp -r "$root/bundles" "$work/bundles"

for name in prostate_dce_classification cifar10_alm_classification; do
  cd "$work/bundles/$name"
  rm -rf eval
  mkdir eval
  cp "$root/tests/data/meta_schema_20240725.json" eval/schema.json # an existing file is not downloaded again
  step "$name: metadata, network, expressions and targets"
  monai verify_metadata --meta_file configs/metadata.json --filepath eval/schema.json
  monai verify_net_in_out --net_id network_def --meta_file configs/metadata.json --config_file configs/inference.json
  quiet "$python" "$root/tools/check_bundle.py" .
done
onnx_names="{'dynamic_axes':{'x':{0:'batch'}},'input_names':['x'],'output_names':['pred']}"

cd "$work/bundles/prostate_dce_classification"
step "prostate: TorchScript" # inference.json comes last: its network is the ensemble
monai ckpt_export --net_id network_def --filepath models/model.ts --ckpt_file models/model.pt \
  --meta_file configs/metadata.json --config_file "['configs/train.json','configs/inference.json']"
step "prostate: ONNX"
monai onnx_export --net_id network_def --filepath models/model.onnx --ckpt_file models/model.pt \
  --meta_file configs/metadata.json --config_file configs/inference.json --converter_kwargs "$onnx_names"
wants models/model.ts models/model.onnx
step "prostate: the project's own exports, with their hashes"
quiet "$python" "$root/tools/export_bundle.py" . --onnx
wants models/model.ts models/model.pt2 models/model.onnx
step "prostate: training, 2 epochs of each stage"
monai run --config_file configs/train.json --dataset_dir "$work/cohort" --max_epochs 2
for arm in "'configs/continued.json'" "'configs/continued.json','configs/alm.json'"; do
  monai run --config_file "['configs/train.json',$arm]" --dataset_dir "$work/cohort" --max_epochs 2
done
wants eval/base/model.pt eval/continued/model.pt eval/alm/model.pt
step "prostate: inference"
monai run --config_file configs/inference.json --dataset_dir "$work/cohort"
wants eval/logits.csv eval/NOTICE.txt
test "$(wc -l <eval/logits.csv)" -eq 20
step "prostate: evaluation"
monai run --config_file "['configs/train.json','configs/evaluate.json']" --dataset_dir "$work/cohort"
wants eval/base/evaluation/metrics.csv
step "prostate: training on two processes (gloo), 2 epochs"
quiet "$python" -m torch.distributed.run --standalone --nproc_per_node=2 -m monai.bundle run \
  --config_file "['configs/train.json','configs/multi_gpu_train.json']" \
  --dataset_dir "$work/cohort" --max_epochs 2 --output_dir eval/multi_gpu
wants eval/multi_gpu/model.pt

cd "$work/bundles/cifar10_alm_classification"
step "CIFAR10: training, 2 epochs of each stage"
monai run --config_file configs/train.json --dataset_dir "$work/cifar-10-batches-py" --max_epochs 2
for arm in "'configs/continued.json'" "'configs/continued.json','configs/alm.json'"; do
  monai run --config_file "['configs/train.json',$arm]" --dataset_dir "$work/cifar-10-batches-py" --max_epochs 2
done
wants eval/base/model.pt eval/continued/model.pt eval/alm/model.pt
step "CIFAR10: inference by that member"
monai run --config_file configs/inference.json --dataset_dir "$work/cifar-10-batches-py" \
  --network_def @member_def --checkpoint eval/alm/model.pt
wants eval/logits.csv
test "$(wc -l <eval/logits.csv)" -eq 2000
step "CIFAR10: TorchScript and ONNX of that member"
monai ckpt_export --net_id member_def --filepath eval/model.ts --ckpt_file eval/alm/model.pt \
  --meta_file configs/metadata.json --config_file "['configs/train.json','configs/inference.json']"
monai onnx_export --net_id member_def --filepath eval/model.onnx --ckpt_file eval/alm/model.pt \
  --meta_file configs/metadata.json --config_file configs/inference.json --converter_kwargs "$onnx_names"
wants eval/model.ts eval/model.onnx

test "$before" = "$(state)" || { echo "the checkout's bundles were changed"; exit 1; }
echo "all checks of both bundles passed"
