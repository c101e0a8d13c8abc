# nvfp4: NVFP4 weights and activations, by llm-compressor (https://github.com/vllm-project/llm-compressor).
# Needs GPUs with room for the 16-bit weights. First: pip install llmcompressor
python3 - "$BASE_MODEL" "$OUTPUT" <<'PYTHON'
import sys

from datasets import load_dataset
from llmcompressor import oneshot
from llmcompressor.modifiers.quantization import QuantizationModifier
from transformers import AutoModelForCausalLM, AutoTokenizer

base, output = sys.argv[1:]
model = AutoModelForCausalLM.from_pretrained(base, dtype="auto", device_map="auto")
tokenizer = AutoTokenizer.from_pretrained(base)
# 512 chats of up to 2048 tokens calibrate the scales; your own traffic does it better.
chats = load_dataset("HuggingFaceH4/ultrachat_200k", split="train_sft")
chats = chats.shuffle(seed=42).select(range(512))
chats = chats.map(
    lambda row: tokenizer(
        tokenizer.apply_chat_template(row["messages"], tokenize=False),
        max_length=2048, truncation=True, add_special_tokens=False),
    remove_columns=chats.column_names)
oneshot(
    model=model,
    dataset=chats,
    # Routers of mixture-of-experts models stay as they are.
    recipe=[QuantizationModifier(targets="Linear", scheme="NVFP4", ignore=["lm_head", "re:.*mlp.gate$"])],
    max_seq_length=2048,
    num_calibration_samples=512,
)
model.save_pretrained(output, save_compressed=True)
tokenizer.save_pretrained(output)
PYTHON
