# fp16: convert the weights to GGUF (llama.cpp, convert_hf_to_gguf.py).
LLAMA_CPP=${LLAMA_CPP:-./llama.cpp}
[ -d "$LLAMA_CPP" ] ||
  git clone --depth 1 --branch b9603 https://github.com/ggml-org/llama.cpp "$LLAMA_CPP"
python3 -m pip install -r "$LLAMA_CPP/requirements.txt" "huggingface_hub"
hf download "$BASE_MODEL" --local-dir ./original
mkdir -p "$(dirname "$OUTPUT")"
python3 "$LLAMA_CPP/convert_hf_to_gguf.py" ./original --outtype f16 --outfile "$OUTPUT"
