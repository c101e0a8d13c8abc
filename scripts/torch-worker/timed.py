"""Timed calls: slots in device memory, and an arm's calls on them between two events."""

import torch

import protocol


class TimedCalls:
    """What kLayOut to kFetch of worker_protocol.h ask for. `forward` is the baseline's, compiled or
    not; `captured`: its calls are made in a CUDA graph."""

    def __init__(self, device, baseline, forward, captured):
        self.device = device
        self.baseline = baseline
        self.forward = forward
        self.captured = captured
        self.started = False
        self.layout = None
        self.memory = None
        self.slot_bytes = 0
        self.bound = []  # by slot
        self.bases = {}  # by buffer
        self.results = {}  # by slot
        self.graph = None
        self.work = None

    def serve(self, request):
        """Nanoseconds of a run, else 0."""
        if not self.started:
            self.device.start_timed()
            self.started = True
        header = request.header
        slots = 0 if self.layout is None else self.layout.header.slots
        if header.ask == protocol.LAY_OUT:
            self.lay_out(request)
        elif header.ask == protocol.WRITE and header.slots <= slots:
            self.write(header)
        elif header.ask == protocol.ARM and slots and header.slots <= protocol.MOST_SLOTS:
            self.arm(header.slots)
        elif header.ask == protocol.ARM_IDLE and header.slots <= protocol.MOST_SLOTS:
            self.arm_idle(header.slots)
        elif header.ask == protocol.FLUSH:
            self.device.flush()
        elif header.ask == protocol.RUN and (self.graph or self.work):
            return self.run()
        elif header.ask == protocol.FETCH and header.slots < slots:
            self.fetch(header.slots)
        else:
            raise protocol.BadRequest("a request out of order")
        return 0

    def lay_out(self, request):
        self.layout = None
        self.bound, self.bases, self.results, self.memory = [], {}, {}, None
        self.graph, self.work = None, None
        header = request.header
        self.slot_bytes = header.slot_pages * protocol.PAGE
        self.arena = torch.frombuffer(protocol.map_arena(), dtype=torch.uint8)
        self.check_layout(request)
        # Zeros are valid contents of every tensor, indices too.
        self.memory = self.device.zeros(header.slots * self.slot_bytes)
        for index, buffer in enumerate(request.buffers):
            if buffer.fill == protocol.BASE and buffer.bytes:
                self.bases[index] = self.copied_bases(buffer, header.bases)
        for slot in range(header.slots):
            data = []
            for buffer in request.buffers:
                begin = slot * self.slot_bytes + buffer.data_offset
                data.append(self.memory[begin:begin + buffer.bytes])
            self.bound.append(self.baseline.bind(request, data, self.forward))
        self.layout = request
        # Compiles, tunes and loads what it has to, before anything is timed.
        for _ in range(3):
            results = self.bound[0].run()
        self.bound[0].store(results)
        self.device.synchronize()

    def check_layout(self, request):
        header = request.header
        keys_end = protocol.PAGE + self.slot_bytes + protocol.KEY_BYTES
        if not 0 < header.slots <= protocol.MOST_SLOTS or not self.slot_bytes or \
                keys_end > self.arena.numel():
            raise protocol.BadRequest("slots that do not fit")
        for buffer in request.buffers:
            last = buffer.arena_offset + max(header.bases - 1, 0) * buffer.pages * protocol.PAGE
            if buffer.data_offset % 4 or buffer.data_offset + buffer.bytes > self.slot_bytes or \
                    (buffer.fill == protocol.BASE and
                     (header.bases == 0 or last + buffer.bytes > self.arena.numel())):
                raise protocol.BadRequest("a buffer that does not fit its slot")

    def copied_bases(self, buffer, count):
        bases = []
        for base in range(count):
            begin = buffer.arena_offset + base * buffer.pages * protocol.PAGE
            copy = self.device.zeros(buffer.bytes)
            bases.append(copy.copy_(self.arena[begin:begin + buffer.bytes]))
        return bases

    def write(self, header):
        keys = protocol.PAGE + self.slot_bytes
        size = self.layout.header.buffers * protocol.MOST_SLOTS * 8
        self.device.load_keys(self.arena[keys:keys + size])
        canary = protocol.SLOT_CANARY * 0x01010101
        self.device.fill(self.memory, 0, self.slot_bytes, header.slots, self.slot_bytes, None,
                         (0, canary))
        poison = (header.poison & 0xFF) * 0x01010101
        for index, buffer in enumerate(self.layout.buffers):
            place = (self.memory, buffer.data_offset, self.slot_bytes, header.slots, buffer.bytes)
            if buffer.fill == protocol.POISON:
                self.device.fill(*place, None, (0, poison))
            elif buffer.fill == protocol.WORDS:
                self.device.fill(*place, index * protocol.MOST_SLOTS * 8, (buffer.keep, buffer.set))
            elif buffer.bytes:
                bases = self.bases[index]
                for slot in range(header.slots):
                    begin = slot * self.slot_bytes + buffer.data_offset
                    self.memory[begin:begin + buffer.bytes].copy_(bases[slot % len(bases)])
        # Nothing that is timed finds a key.
        self.device.forget_keys()
        self.device.synchronize()

    def calls(self, order):
        """Makes the calls, keeping what they return: that is new memory for each slot."""
        bound, results = self.bound, self.results
        for slot in order:
            results[slot] = bound[slot].run()

    def arm(self, count):
        begin = protocol.ORDER_OFFSET
        order = self.arena[begin:begin + 2 * count].view(torch.int16).tolist()
        if any(not 0 <= slot < len(self.bound) for slot in order):
            raise protocol.BadRequest("a slot that is not there")
        self.results.clear()
        if self.captured:
            self.work = None
            self.graph = self.device.capture(lambda: self.calls(order))
        else:
            self.graph = None
            self.work = lambda: self.calls(order)

    def arm_idle(self, count):
        def work():
            for _ in range(count):
                self.device.idle()

        self.work = None
        self.graph = self.device.capture(work)

    def run(self):
        return self.device.replay(self.graph) if self.graph else self.device.time(self.work)

    def fetch(self, slot):
        if slot in self.results:
            self.bound[slot].store(self.results[slot])
        begin = slot * self.slot_bytes
        page = protocol.PAGE
        self.arena[page:page + self.slot_bytes].copy_(self.memory[begin:begin + self.slot_bytes])
        self.device.synchronize()
