// A bench for module wingrid in plain Verilog: a memory on its AXI4 master, a host on its AXI4-Lite slave.
//
// The host writes BASE, PROGRAM and PROGRAM_LENGTH, starts, waits for the interrupt, and prints every register's value. The
// memory lies at BASE, is read from one file of hexadecimal bytes before, and written to another one after. It keeps the
// rule of sim/memory.py: a latency, one data bus for reads and writes, in the order in which bursts become eligible.
// In every cycle from the second one of reset on, outputs must be known: VALID and READY always, what goes with a
// VALID while it is high. And whatever is valid stays until it is taken.
//
//   iverilog -g2005 -s wingrid_bench -P wingrid_bench.BUS_BYTES=4 -o bench wingrid.v wingrid_bench.v
//   vvp bench +memory=before.hex +result=after.hex +base=80000000 +program=0 +length=5
//
// The last line is PASSED, or begins with FAILED.

`timescale 1ns / 1ps
`default_nettype none

module wingrid_bench;
  parameter BUS_BYTES = 4;
  parameter ADDRESS_BITS = 32;
  parameter MEMORY_BYTES = 65536;
  parameter LATENCY = 40;
  parameter BYTES_PER_CYCLE = 4;
  parameter RESET_AT_ONCE = 1;  // rst is high from time zero; else it rises after three cycles
  parameter EVENTS = 13;  // width of the events port
  parameter MOST_CYCLES = 1000000;

  localparam BUS_BITS = 8 * BUS_BYTES;
  localparam CONTROL = 9'h008, INTERRUPT_ENABLE = 9'h010, PROGRAM = 9'h020, PROGRAM_LENGTH = 9'h024;
  localparam BASE = 9'h02c, BASE_HIGH = 9'h030;
  localparam LAST_REGISTER = 9'h100;

  reg clk = 0;
  reg rst = RESET_AT_ONCE;
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
  reg arready = 1, awready = 1, wready = 1, rvalid = 0, rlast = 0, rid = 0, bvalid = 0, bid = 0;
  reg [BUS_BITS-1:0] rdata = 0;
  reg [1:0] rresp = 0, bresp = 0;

  // AXI4-Lite: what the host drives, and what the accelerator does.
  reg [8:0] host_awaddr = 0, host_araddr = 0;
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
    .m_axi_arcache(arcache), .m_axi_arprot(arprot), .m_axi_arvalid(arvalid), .m_axi_arready(arready),
    .m_axi_rid(rid), .m_axi_rdata(rdata), .m_axi_rresp(rresp), .m_axi_rlast(rlast), .m_axi_rvalid(rvalid),
    .m_axi_rready(rready),
    .m_axi_awid(awid), .m_axi_awaddr(awaddr), .m_axi_awlen(awlen), .m_axi_awsize(awsize), .m_axi_awburst(awburst),
    .m_axi_awcache(awcache), .m_axi_awprot(awprot), .m_axi_awvalid(awvalid), .m_axi_awready(awready),
    .m_axi_wdata(wdata), .m_axi_wstrb(wstrb), .m_axi_wlast(wlast), .m_axi_wvalid(wvalid), .m_axi_wready(wready),
    .m_axi_bid(bid), .m_axi_bresp(bresp), .m_axi_bvalid(bvalid), .m_axi_bready(bready),
    .s_axil_awaddr(host_awaddr), .s_axil_awprot(3'b000), .s_axil_awvalid(host_awvalid), .s_axil_awready(host_awready),
    .s_axil_wdata(host_wdata), .s_axil_wstrb(4'b1111), .s_axil_wvalid(host_wvalid), .s_axil_wready(host_wready),
    .s_axil_bresp(host_bresp), .s_axil_bvalid(host_bvalid), .s_axil_bready(host_bready),
    .s_axil_araddr(host_araddr), .s_axil_arprot(3'b000), .s_axil_arvalid(host_arvalid), .s_axil_arready(host_arready),
    .s_axil_rdata(host_rdata), .s_axil_rresp(host_rresp), .s_axil_rvalid(host_rvalid), .s_axil_rready(host_rready)
  );

  // ---------------------------------------------------------------- the memory
  reg [7:0] memory [0:MEMORY_BYTES-1];
  integer cycle = 0;

  // Bursts on their way, as rings of 256: reads; writes whose address has come; data that have come.
  reg [ADDRESS_BITS-1:0] read_address [0:255], write_address [0:255];
  reg [8:0] read_beats [0:255], write_beats [0:255];
  integer read_eligible [0:255], write_eligible [0:255];
  reg [7:0] read_in = 0, read_out = 0, write_in = 0, write_out = 0, write_complete = 0;
  reg [BUS_BITS-1:0] data [0:4095];
  reg [BUS_BYTES-1:0] strobe [0:4095];
  reg [11:0] data_in = 0, data_out = 0;
  integer data_length [0:255];
  reg [7:0] length_in = 0, length_out = 0;
  integer data_beats = 0, responses = 0;

  localparam NOBODY = 0, READ = 1, WRITE = 2;
  integer owner = NOBODY, beat = 0, elapsed = 0, hold = 0, beats = 0, byte_index = 0;
  reg [63:0] base = 0;
  reg [ADDRESS_BITS-1:0] address = 0;  // in memory, from base on
  reg reads_first = 0;

  function integer bus_cycles(input integer count);
    bus_cycles = (count * BUS_BYTES + BYTES_PER_CYCLE - 1) / BYTES_PER_CYCLE;
  endfunction

  always @(posedge clk) if (!rst) begin
    // What was taken in the cycle that ends here.
    if (arvalid && arready) begin
      read_address[read_in] = araddr;
      read_beats[read_in] = arlen + 1;
      read_eligible[read_in] = cycle + LATENCY;
      read_in = read_in + 1;
    end
    if (awvalid && awready) begin
      write_address[write_in] = awaddr;
      write_beats[write_in] = awlen + 1;
      write_in = write_in + 1;
    end
    if (wvalid && wready) begin
      data[data_in] = wdata;
      strobe[data_in] = wstrb;
      data_in = data_in + 1;
      data_beats = data_beats + 1;
      if (wlast) begin
        data_length[length_in] = data_beats;
        length_in = length_in + 1;
        data_beats = 0;
      end
    end
    if (write_complete != write_in && length_out != length_in) begin
      if (data_length[length_out] != write_beats[write_complete]) fail("WLAST is not with the burst's last beat");
      write_eligible[write_complete] = cycle + 1;
      write_complete = write_complete + 1;
      length_out = length_out + 1;
    end
    if (bvalid && bready) responses = responses - 1;
    if (owner != NOBODY && !(rvalid && !rready)) begin
      if (rvalid) beat = beat + 1;
      elapsed = elapsed + 1;
      if (elapsed == hold) begin
        if (owner == WRITE) begin
          for (beat = 0; beat < beats; beat = beat + 1) begin
            for (byte_index = 0; byte_index < BUS_BYTES; byte_index = byte_index + 1)
              if (strobe[data_out][byte_index])
                memory[address + beat * BUS_BYTES + byte_index] = data[data_out][8*byte_index +: 8];
            data_out = data_out + 1;
          end
          responses = responses + 1;
        end
        owner = NOBODY;
      end
    end

    // The cycle that begins.
    cycle = cycle + 1;
    if (owner == NOBODY) begin
      reads_first = read_out != read_in && read_eligible[read_out] <= cycle;
      if (write_out != write_complete && write_eligible[write_out] <= cycle
          && !(reads_first && read_eligible[read_out] <= write_eligible[write_out])) begin
        owner = WRITE;
        address = write_address[write_out] - base[ADDRESS_BITS-1:0];
        beats = write_beats[write_out];
        write_out = write_out + 1;
      end else if (reads_first) begin
        owner = READ;
        address = read_address[read_out] - base[ADDRESS_BITS-1:0];
        beats = read_beats[read_out];
        read_out = read_out + 1;
      end
      beat = 0;
      elapsed = 0;
      hold = bus_cycles(beats);
      if (owner != NOBODY && (address >= MEMORY_BYTES || address + beats * BUS_BYTES > MEMORY_BYTES))
        fail("a burst leaves the memory");
    end
    if (owner == READ && elapsed + 1 == bus_cycles(beat + 1)) begin
      rvalid <= 1;
      rlast <= beat + 1 == beats;
      for (byte_index = 0; byte_index < BUS_BYTES; byte_index = byte_index + 1)
        rdata[8*byte_index +: 8] <= memory[address + beat * BUS_BYTES + byte_index];
    end else rvalid <= 0;
    bvalid <= responses != 0;
  end

  // ---------------------------------------------------------------- what must hold in every cycle
  reg reset_once = 0, was_reset = 0;  // the bus is silent from the second cycle of rst on
  reg ar_waits = 0, aw_waits = 0, w_waits = 0;
  reg [ADDRESS_BITS+7:0] ar_was, aw_was;
  reg [BUS_BITS:0] w_was;

  always @(posedge clk) begin
    if (rst) begin
      reset_once <= 1;
      was_reset <= reset_once;
    end
    if (was_reset) begin
      if (^{arvalid, awvalid, wvalid, rready, bready, interrupt, events} === 1'bx) fail("an output is unknown");
      if (^{host_awready, host_wready, host_bvalid, host_arready, host_rvalid} === 1'bx)
        fail("an output to the host is unknown");
      if (arvalid && ^{arid, araddr, arlen, arsize, arburst, arcache, arprot} === 1'bx) fail("AR is unknown");
      if (awvalid && ^{awid, awaddr, awlen, awsize, awburst, awcache, awprot} === 1'bx) fail("AW is unknown");
      if (wvalid && ^{wdata, wstrb, wlast} === 1'bx) fail("W is unknown");
      if (host_rvalid && ^{host_rdata, host_rresp} === 1'bx) fail("what a register reads as is unknown");
      if (host_bvalid && ^host_bresp === 1'bx) fail("BRESP of a register is unknown");
      if (ar_waits && !(arvalid && {araddr, arlen} === ar_was)) fail("AR changed before it was taken");
      if (aw_waits && !(awvalid && {awaddr, awlen} === aw_was)) fail("AW changed before it was taken");
      if (w_waits && !(wvalid && {wdata, wlast} === w_was)) fail("W changed before it was taken");
    end
    ar_waits <= arvalid && !arready && !rst;
    aw_waits <= awvalid && !awready && !rst;
    w_waits <= wvalid && !wready && !rst;
    ar_was <= {araddr, arlen};
    aw_was <= {awaddr, awlen};
    w_was <= {wdata, wlast};
  end

  // ---------------------------------------------------------------- the host
  reg [8*200-1:0] file;
  reg [31:0] program_address, program_length, value;
  reg refused;
  integer register_address;

  task fail(input [8*60-1:0] why);
    begin
      $display("FAILED in cycle %0d: %0s", cycle, why);
      $finish;
    end
  endtask

  task write_register(input [8:0] register, input [31:0] content);
    begin
      host_awaddr <= register;
      host_wdata <= content;
      host_awvalid <= 1;
      host_wvalid <= 1;
      host_bready <= 1;
      @(posedge clk);
      while (!(host_bvalid && host_bready)) begin
        if (host_awready) host_awvalid <= 0;
        if (host_wready) host_wvalid <= 0;
        @(posedge clk);
      end
      host_bready <= 0;
      if (host_bresp !== 0) fail("a write to a register was refused");
    end
  endtask

  task read_register(input [8:0] register);
    begin
      host_araddr <= register;
      host_arvalid <= 1;
      host_rready <= 1;
      @(posedge clk);
      while (!(host_rvalid && host_rready)) begin
        if (host_arready) host_arvalid <= 0;
        @(posedge clk);
      end
      host_rready <= 0;
      value = host_rdata;
      refused = host_rresp != 0;
    end
  endtask

  initial begin
    if (!$value$plusargs("base=%h", base)) base = 0;
    if (!$value$plusargs("program=%h", program_address)) program_address = 0;
    if (!$value$plusargs("length=%d", program_length)) program_length = 1;
    if ($value$plusargs("memory=%s", file)) $readmemh(file, memory);
    if (!RESET_AT_ONCE) begin
      repeat (3) @(posedge clk);
      rst <= 1;
    end
    repeat (4) @(posedge clk);
    rst <= 0;
    @(posedge clk);
    write_register(INTERRUPT_ENABLE, 1);
    write_register(BASE, base[31:0]);
    write_register(BASE_HIGH, base[63:32]);
    write_register(PROGRAM, program_address);
    write_register(PROGRAM_LENGTH, program_length);
    write_register(CONTROL, 1);
    while (!interrupt) begin
      @(posedge clk);
      if (cycle > MOST_CYCLES) fail("no interrupt");
    end
    for (register_address = 0; register_address <= LAST_REGISTER; register_address = register_address + 4) begin
      read_register(register_address);
      if (!refused) $display("REGISTER %h %h", register_address, value);
    end
    if ($value$plusargs("result=%s", file)) $writememh(file, memory);
    $display("PASSED");
    $finish;
  end
endmodule

`default_nettype wire
