# nvfp4, by NVIDIA Model Optimizer (https://github.com/NVIDIA/Model-Optimizer), its hf_ptq.py.
# Run it where CUDA and PyTorch are. First: pip install "nvidia-modelopt[hf]"
MODELOPT=${MODELOPT:-./Model-Optimizer}
[ -d "$MODELOPT" ] || git clone --depth 1 https://github.com/NVIDIA/Model-Optimizer "$MODELOPT"
script=$(find "$MODELOPT/examples" -name hf_ptq.py | head -n 1)
python3 "$script" --pyt_ckpt_path "$BASE_MODEL" --qformat nvfp4 --export_path "$OUTPUT"
