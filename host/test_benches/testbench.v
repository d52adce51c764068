// A self-checking test bench for module wingrid, in plain Verilog-2005: runs a whole network from its image.
//
// network.vh, which is generated, says what is run and what is promised. A host on the AXI4-Lite slave compares the
// registers of constants, and for each entry of the image writes its inputs into memory, starts it, waits for the
// interrupt, and compares every byte of its outputs and its cycles. A memory on the AXI4 master keeps the timing that
// the cycles were promised for. It says what each entry takes; its last line is PASS, with status 0, or begins with
// FAILED, with another status.
//
// The memory changes its signals by nonblocking assignments at the rising edge of clk, the host at the falling one, so
// that no simulator's order of processes matters.

`default_nettype none

module testbench;
  `include "network.vh"

  localparam BUS_BITS = 8 * BUS_BYTES;
  localparam OKAY = 2'b00, INCR = 2'b01;
  localparam PAGE_BYTES = 4096;  // no AXI burst crosses the end of one

  reg clk = 0;
  reg rst = 1;
  always #5 clk = ~clk;

  // AXI4: what the accelerator drives, and what the memory does.
  wire [ADDRESS_BITS-1:0] araddr, awaddr;
  wire [7:0] arlen, awlen;
  wire [2:0] arsize, awsize, arprot, awprot;
  wire [1:0] arburst, awburst;
  wire [3:0] arcache, awcache;
  wire arid, awid, arvalid, awvalid, wvalid, wlast, rready, bready;
  wire [BUS_BITS-1:0] wdata;
  wire [BUS_BYTES-1:0] wstrb;
  reg rvalid = 0, rlast = 0, rid = 0, bvalid = 0, bid = 0;
  reg [BUS_BITS-1:0] rdata = 0;

  // AXI4-Lite: what the host drives, and what the accelerator does.
  reg [REGISTER_ADDRESS_BITS-1:0] host_awaddr = 0, host_araddr = 0;
  reg [31:0] host_wdata = 0;
  reg host_awvalid = 0, host_wvalid = 0, host_bready = 0, host_arvalid = 0, host_rready = 0;
  wire host_awready, host_wready, host_bvalid, host_arready, host_rvalid;
  wire [1:0] host_bresp, host_rresp;
  wire [31:0] host_rdata;

  wire interrupt;
  wire [EVENTS-1:0] events;

  wingrid device (
    .clk(clk), .rst(rst), .interrupt(interrupt), .events(events),
    .m_axi_arid(arid), .m_axi_araddr(araddr), .m_axi_arlen(arlen), .m_axi_arsize(arsize), .m_axi_arburst(arburst),
    .m_axi_arcache(arcache), .m_axi_arprot(arprot), .m_axi_arvalid(arvalid), .m_axi_arready(1'b1),
    .m_axi_rid(rid), .m_axi_rdata(rdata), .m_axi_rresp(OKAY), .m_axi_rlast(rlast), .m_axi_rvalid(rvalid),
    .m_axi_rready(rready),
    .m_axi_awid(awid), .m_axi_awaddr(awaddr), .m_axi_awlen(awlen), .m_axi_awsize(awsize), .m_axi_awburst(awburst),
    .m_axi_awcache(awcache), .m_axi_awprot(awprot), .m_axi_awvalid(awvalid), .m_axi_awready(1'b1),
    .m_axi_wdata(wdata), .m_axi_wstrb(wstrb), .m_axi_wlast(wlast), .m_axi_wvalid(wvalid), .m_axi_wready(1'b1),
    .m_axi_bid(bid), .m_axi_bresp(OKAY), .m_axi_bvalid(bvalid), .m_axi_bready(bready),
    .s_axil_awaddr(host_awaddr), .s_axil_awprot(3'b000), .s_axil_awvalid(host_awvalid), .s_axil_awready(host_awready),
    .s_axil_wdata(host_wdata), .s_axil_wstrb(4'b1111), .s_axil_wvalid(host_wvalid), .s_axil_wready(host_wready),
    .s_axil_bresp(host_bresp), .s_axil_bvalid(host_bvalid), .s_axil_bready(host_bready),
    .s_axil_araddr(host_araddr), .s_axil_arprot(3'b000), .s_axil_arvalid(host_arvalid), .s_axil_arready(host_arready),
    .s_axil_rdata(host_rdata), .s_axil_rresp(host_rresp), .s_axil_rvalid(host_rvalid), .s_axil_rready(host_rready)
  );

  reg [63:0] cycle = 0;

  task fail(input [8*80-1:0] why);
    begin
      $display("FAILED in cycle %0d: %0s", cycle, why);
      $stop;
    end
  endtask

  // ---------------------------------------------------------------- the memory
  // From MEMORY_BASE on the bus. Behind it, where no burst reaches, is room for the bytes that an output should have.
  reg [7:0] memory [0:MEMORY_BYTES+MOST_EXPECTED-1];

  // Bursts on their way, as rings: reads; writes whose address has come; data that have come, and how many beats of
  // them belong together. The accelerator has at most 64 bursts of 256 beats in flight.
  localparam BURSTS = 256, BEATS = 32768;
  reg [ADDRESS_BITS-1:0] read_address [0:BURSTS-1], write_address [0:BURSTS-1];
  reg [8:0] read_beats [0:BURSTS-1], write_beats [0:BURSTS-1], data_length [0:BURSTS-1];
  reg [63:0] read_eligible [0:BURSTS-1], write_eligible [0:BURSTS-1];
  reg read_id [0:BURSTS-1], write_id [0:BURSTS-1], answer_id [0:BURSTS-1];
  reg [7:0] read_in = 0, read_out = 0, write_in = 0, write_out = 0, write_complete = 0, length_in = 0, length_out = 0;
  reg [7:0] answer_in = 0, answer_out = 0;
  reg [BUS_BITS-1:0] data [0:BEATS-1];
  reg [BUS_BYTES-1:0] strobe [0:BEATS-1];
  reg [14:0] data_in = 0, data_out = 0;
  reg [8:0] data_beats = 0;

  // The burst that holds the data bus: the place in memory and the size of it, how many of its cycles without data
  // come first, of all of them, and how many are over.
  localparam NOBODY = 2'd0, READ = 2'd1, WRITE = 2'd2;
  reg [1:0] owner = NOBODY;
  reg [63:0] place = 0, opening = 0, hold = 0, elapsed = 0;
  reg [8:0] beat = 0, beats = 0;
  reg owner_id = 0, reads_first = 0, writes_first = 0;
  integer byte_index = 0;

  // A DRAM's rows and refresh, if it has banks.
  reg [63:0] open_row [0:ROWS_OPEN-1];
  reg [63:0] started = 0, refreshes = 0, row = 0;
  integer bank = 0;

  function [63:0] bus_cycles(input [8:0] count);
    bus_cycles = (count * BUS_BYTES + BYTES_PER_CYCLE - 1) / BYTES_PER_CYCLE;
  endfunction

  function refreshing(input [63:0] since);
    refreshing = BANKS != 0 && since >= REFRESH_INTERVAL && since % REFRESH_INTERVAL < REFRESH_CYCLES;
  endfunction

  task close_rows;
    for (bank = 0; bank < ROWS_OPEN; bank = bank + 1) open_row[bank] = {64{1'b1}};
  endtask

  // Compared so that an unknown value fails too.
  task check_request(input [ADDRESS_BITS-1:0] address, input [7:0] length, input [2:0] size, input [1:0] kind);
    begin
      if ((1 << size) !== BUS_BYTES) fail("a burst has beats that are not as wide as the bus");
      if (kind !== INCR) fail("a burst is not of type INCR");
      if (!(address % BUS_BYTES == 0)) fail("the address of a burst is no multiple of the bus width");
      if (!(address % PAGE_BYTES + (length + 1) * BUS_BYTES <= PAGE_BYTES)) fail("a burst crosses a 4 KiB boundary");
    end
  endtask

  always @(posedge clk) if (!rst) begin
    // What was taken in the cycle that ends here.
    if (arvalid !== 0) begin
      check_request(araddr, arlen, arsize, arburst);
      read_address[read_in] = araddr;
      read_beats[read_in] = arlen + 1;
      read_id[read_in] = arid;
      read_eligible[read_in] = cycle + LATENCY;
      read_in = read_in + 1;
    end
    if (awvalid !== 0) begin
      check_request(awaddr, awlen, awsize, awburst);
      write_address[write_in] = awaddr;
      write_beats[write_in] = awlen + 1;
      write_id[write_in] = awid;
      write_in = write_in + 1;
    end
    if (wvalid !== 0) begin
      data[data_in] = wdata;
      strobe[data_in] = wstrb;
      data_in = data_in + 1;
      data_beats = data_beats + 1;
      if (wlast !== 0) begin
        data_length[length_in] = data_beats;
        length_in = length_in + 1;
        data_beats = 0;
      end
    end
    if (write_complete != write_in && length_out != length_in) begin
      if (data_length[length_out] != write_beats[write_complete]) fail("WLAST is not with the burst's last beat");
      write_eligible[write_complete] = cycle + WRITE_LATENCY;
      write_complete = write_complete + 1;
      length_out = length_out + 1;
    end
    if (bvalid && bready) answer_out = answer_out + 1;
    if (owner != NOBODY && !(rvalid && !rready)) begin
      if (rvalid) beat = beat + 1;
      elapsed = elapsed + 1;
      if (elapsed == hold) begin
        if (owner == WRITE) begin
          for (beat = 0; beat < beats; beat = beat + 1) begin
            for (byte_index = 0; byte_index < BUS_BYTES; byte_index = byte_index + 1)
              if (strobe[data_out][byte_index])
                memory[place + beat * BUS_BYTES + byte_index] = data[data_out][8*byte_index +: 8];
            data_out = data_out + 1;
          end
          answer_id[answer_in] = owner_id;
          answer_in = answer_in + 1;
        end
        owner = NOBODY;
      end
    end
    // A DRAM's time begins in the cycle after the address and the data of a write to a register are taken.
    if (host_awvalid && host_awready || host_wvalid && host_wready) begin
      started = cycle + 1;
      refreshes = 0;
      close_rows;
    end

    // The cycle that begins.
    cycle = cycle + 1;
    if (owner == NOBODY && !refreshing(cycle - started)) begin
      reads_first = read_out != read_in && read_eligible[read_out] <= cycle;
      writes_first = write_out != write_complete && write_eligible[write_out] <= cycle
          && !(reads_first && read_eligible[read_out] <= write_eligible[write_out]);
      if (writes_first) begin
        owner = WRITE;
        place = write_address[write_out] - MEMORY_BASE[ADDRESS_BITS-1:0];
        beats = write_beats[write_out];
        owner_id = write_id[write_out];
        write_out = write_out + 1;
      end else if (reads_first) begin
        owner = READ;
        place = read_address[read_out] - MEMORY_BASE[ADDRESS_BITS-1:0];
        beats = read_beats[read_out];
        owner_id = read_id[read_out];
        read_out = read_out + 1;
      end
      if (owner != NOBODY) begin
        // The place of an address below memory is far beyond its end.
        if (!(place < MEMORY_BYTES && place + beats * BUS_BYTES <= MEMORY_BYTES)) fail("a burst leaves the memory");
        opening = 0;
        if (BANKS != 0) begin
          if ((cycle - started) / REFRESH_INTERVAL != refreshes) close_rows;
          refreshes = (cycle - started) / REFRESH_INTERVAL;
          row = place / ROW_BYTES;
          if (open_row[row % ROWS_OPEN] != row) opening = ROW_MISS;
          open_row[row % ROWS_OPEN] = row;
        end
        beat = 0;
        elapsed = 0;
        hold = opening + bus_cycles(beats);
      end
    end
    if (owner == READ && elapsed + 1 == opening + bus_cycles(beat + 1)) begin
      rvalid <= 1;
      rid <= owner_id;
      rlast <= beat + 1 == beats;
      for (byte_index = 0; byte_index < BUS_BYTES; byte_index = byte_index + 1)
        rdata[8*byte_index +: 8] <= memory[place + beat * BUS_BYTES + byte_index];
    end else rvalid <= 0;
    bvalid <= answer_in != answer_out;
    bid <= answer_id[answer_out];
  end

  // ---------------------------------------------------------------- the host
  localparam REGISTER_PATIENCE = 1000;
  localparam MORE_CYCLES = 10000;  // to wait for an entry, beyond twice the promised ones
  reg [31:0] value = 0, fault = 0;
  reg [63:0] waited = 0, taken = 0, promised = 0;
  reg address_taken = 0, data_taken = 0, answered = 0;
  reg [1:0] response = 0;
  integer file = 0, got = 0, i = 0;

  // The host lives at falling edges of clk: what it sees is what the rising edge ahead will see, and what it drives
  // has settled by then.
  task write_register(input [REGISTER_ADDRESS_BITS-1:0] register, input [31:0] content);
    begin
      host_awaddr = register;
      host_wdata = content;
      host_awvalid = 1;
      host_wvalid = 1;
      host_bready = 1;
      waited = 0;
      answered = 0;
      while (!answered) begin
        address_taken = host_awready === 1;
        data_taken = host_wready === 1;
        answered = host_bvalid === 1;
        response = host_bresp;
        @(negedge clk);
        if (address_taken) host_awvalid = 0;
        if (data_taken) host_wvalid = 0;
        waited = waited + 1;
        if (waited > REGISTER_PATIENCE) fail("a write to a register is not answered");
      end
      host_bready = 0;
      if (response !== OKAY) fail("a write to a register is refused");
    end
  endtask

  task read_register(input [REGISTER_ADDRESS_BITS-1:0] register);
    begin
      host_araddr = register;
      host_arvalid = 1;
      host_rready = 1;
      waited = 0;
      answered = 0;
      while (!answered) begin
        address_taken = host_arready === 1;
        answered = host_rvalid === 1;
        response = host_rresp;
        value = host_rdata;
        @(negedge clk);
        if (address_taken) host_arvalid = 0;
        waited = waited + 1;
        if (waited > REGISTER_PATIENCE) fail("a read of a register is not answered");
      end
      host_rready = 0;
      if (response !== OKAY) fail("a read of a register is refused");
    end
  endtask

  // A register of constants.
  task check_register(input [NAME_BITS-1:0] name, input [REGISTER_ADDRESS_BITS-1:0] register, input [31:0] wanted);
    begin
      read_register(register);
      if (value !== wanted) begin
        $display("FAILED: register %0s reads as %h, expected %h", name, value, wanted);
        $stop;
      end
    end
  endtask

  // Bytes from a file to a place in memory.
  task load(input [NAME_BITS-1:0] name, input [31:0] start, input [31:0] count);
    begin
      file = $fopen(name, "rb");
      got = 0;
      if (file != 0) got = $fread(memory, file, start, count);
      if (got != count) begin
        $display("FAILED: file %0s has %0d bytes, expected %0d", name, got, count);
        $stop;
      end
      $fclose(file);
    end
  endtask

  // The image, byte for byte as it was promised: CRC-32 (ISO 3309), a byte at a time.
  reg [31:0] crc_table [0:255];
  reg [31:0] crc = 0;
  task load_image(input [NAME_BITS-1:0] name, input [31:0] count, input [31:0] promised);
    begin
      load(name, 0, count);
      for (i = 0; i < 256; i = i + 1) begin
        crc = i;
        repeat (8) crc = crc[0] ? crc >> 1 ^ 32'hedb88320 : crc >> 1;
        crc_table[i] = crc;
      end
      crc = 32'hffffffff;
      for (i = 0; i < count; i = i + 1) crc = crc >> 8 ^ crc_table[crc[7:0] ^ memory[i]];
      if (~crc !== promised) begin
        $display("FAILED: image %0s has CRC-32 %h, expected %h", name, ~crc, promised);
        $stop;
      end
    end
  endtask

  // Where an output will lie, nothing is right before it is written.
  task spoil(input [NAME_BITS-1:0] expected, input [31:0] start, input [31:0] count);
    begin
      load(expected, MEMORY_BYTES, count);
      for (i = 0; i < count; i = i + 1) memory[start + i] = ~memory[MEMORY_BYTES + i];
    end
  endtask

  // Starts an entry, and waits for its end.
  task run(
    input [NAME_BITS-1:0] entry, input [31:0] first, input [31:0] instructions, input [63:0] cycles
  );
    begin
      promised = cycles;
      write_register(PROGRAM, first);
      write_register(PROGRAM_LENGTH, instructions);
      write_register(CONTROL, CONTROL_START);
      waited = 0;
      while (interrupt !== 1) begin
        @(negedge clk);
        waited = waited + 1;
        if (waited > 2 * promised + MORE_CYCLES) begin
          $display("FAILED: no interrupt of entry %0s in %0d cycles, %0d promised", entry, waited, promised);
          $stop;
        end
      end
      read_register(FAULT);
      fault = value;
      read_register(FAULT_PC);
      if (fault !== 0) begin
        $display("FAILED: entry %0s has fault %0d at instruction %0d", entry, fault, value);
        $stop;
      end
      read_register(STATUS);
      if (value !== STATUS_DONE) begin
        $display("FAILED: entry %0s leaves status %h, expected %h", entry, value, STATUS_DONE);
        $stop;
      end
      read_register(COUNTER_CYCLES);
      taken[31:0] = value;
      read_register(COUNTER_CYCLES + 4);
      taken[63:32] = value;
      $display("%0s: %0d cycles, %0d promised", entry, taken, promised);
      write_register(INTERRUPT_PENDING, 1);
      @(negedge clk);
      if (interrupt !== 0) fail("the interrupt stays when it is cleared");
    end
  endtask

  task compare(
    input [NAME_BITS-1:0] tensor, input [NAME_BITS-1:0] expected, input [31:0] start, input [31:0] count
  );
    begin
      load(expected, MEMORY_BYTES, count);
      for (i = 0; i < count; i = i + 1)
        if (memory[start + i] !== memory[MEMORY_BYTES + i]) begin
          $display("FAILED: tensor %0s, byte %0d: expected %h, got %h", tensor, i, memory[MEMORY_BYTES + i],
                   memory[start + i]);
          $stop;
        end
    end
  endtask

  task check_cycles(input [NAME_BITS-1:0] entry);
    if (taken !== promised) begin
      $display("FAILED: entry %0s takes %0d cycles, expected %0d", entry, taken, promised);
      $stop;
    end
  endtask

  initial begin
    close_rows;
    repeat (4) @(negedge clk);
    rst = 0;
    @(negedge clk);
    network;
    $display("PASS");
    $finish;
  end
endmodule

`default_nettype wire
