// What of ECP5's cells yosys has no models: block RAM and multiplier, as far as our netlists use them. A memory's
// outputs appear after its clock edge, or after the next one where its output registers are used, for words of up to 18
// bits.
// Sources: Lattice TN1264 (memory) and TN1267 (sysDSP), and how yosys maps to the cells (share/lattice/brams_16kd.txt,
// brams_map_16kd.v and dsp_map_18x18.v).

// One port's access to 2048 bytes of 9 bits, of which words of 1, 2 and 4 bits leave the ninth unused. Words of 18 and
// 36 bits are written byte by byte: the lowest bits of the address say which.
module DP16KD(
    input DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0,
    input ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
    input CEA, OCEA, CLKA, WEA, RSTA, CSA2, CSA1, CSA0,
    output DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0,
    input DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0,
    input ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
    input CEB, OCEB, CLKB, WEB, RSTB, CSB2, CSB1, CSB0,
    output DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0
);
    parameter DATA_WIDTH_A = 18;
    parameter DATA_WIDTH_B = 18;
    parameter [63:0] REGMODE_A = "NOREG";
    parameter [63:0] REGMODE_B = "NOREG";
    parameter RESETMODE = "SYNC";
    parameter ASYNC_RESET_RELEASE = "SYNC";
    parameter CSDECODE_A = "0b000";
    parameter CSDECODE_B = "0b000";
    parameter [127:0] WRITEMODE_A = "NORMAL";
    parameter [127:0] WRITEMODE_B = "NORMAL";
    parameter CLKAMUX = "CLKA";
    parameter CLKBMUX = "CLKB";
    parameter GSR = "ENABLED";
    parameter [319:0] INITVAL_00 = 320'd0;
    parameter [319:0] INITVAL_01 = 320'd0;
    parameter [319:0] INITVAL_02 = 320'd0;
    parameter [319:0] INITVAL_03 = 320'd0;
    parameter [319:0] INITVAL_04 = 320'd0;
    parameter [319:0] INITVAL_05 = 320'd0;
    parameter [319:0] INITVAL_06 = 320'd0;
    parameter [319:0] INITVAL_07 = 320'd0;
    parameter [319:0] INITVAL_08 = 320'd0;
    parameter [319:0] INITVAL_09 = 320'd0;
    parameter [319:0] INITVAL_0A = 320'd0;
    parameter [319:0] INITVAL_0B = 320'd0;
    parameter [319:0] INITVAL_0C = 320'd0;
    parameter [319:0] INITVAL_0D = 320'd0;
    parameter [319:0] INITVAL_0E = 320'd0;
    parameter [319:0] INITVAL_0F = 320'd0;
    parameter [319:0] INITVAL_10 = 320'd0;
    parameter [319:0] INITVAL_11 = 320'd0;
    parameter [319:0] INITVAL_12 = 320'd0;
    parameter [319:0] INITVAL_13 = 320'd0;
    parameter [319:0] INITVAL_14 = 320'd0;
    parameter [319:0] INITVAL_15 = 320'd0;
    parameter [319:0] INITVAL_16 = 320'd0;
    parameter [319:0] INITVAL_17 = 320'd0;
    parameter [319:0] INITVAL_18 = 320'd0;
    parameter [319:0] INITVAL_19 = 320'd0;
    parameter [319:0] INITVAL_1A = 320'd0;
    parameter [319:0] INITVAL_1B = 320'd0;
    parameter [319:0] INITVAL_1C = 320'd0;
    parameter [319:0] INITVAL_1D = 320'd0;
    parameter [319:0] INITVAL_1E = 320'd0;
    parameter [319:0] INITVAL_1F = 320'd0;
    parameter [319:0] INITVAL_20 = 320'd0;
    parameter [319:0] INITVAL_21 = 320'd0;
    parameter [319:0] INITVAL_22 = 320'd0;
    parameter [319:0] INITVAL_23 = 320'd0;
    parameter [319:0] INITVAL_24 = 320'd0;
    parameter [319:0] INITVAL_25 = 320'd0;
    parameter [319:0] INITVAL_26 = 320'd0;
    parameter [319:0] INITVAL_27 = 320'd0;
    parameter [319:0] INITVAL_28 = 320'd0;
    parameter [319:0] INITVAL_29 = 320'd0;
    parameter [319:0] INITVAL_2A = 320'd0;
    parameter [319:0] INITVAL_2B = 320'd0;
    parameter [319:0] INITVAL_2C = 320'd0;
    parameter [319:0] INITVAL_2D = 320'd0;
    parameter [319:0] INITVAL_2E = 320'd0;
    parameter [319:0] INITVAL_2F = 320'd0;
    parameter [319:0] INITVAL_30 = 320'd0;
    parameter [319:0] INITVAL_31 = 320'd0;
    parameter [319:0] INITVAL_32 = 320'd0;
    parameter [319:0] INITVAL_33 = 320'd0;
    parameter [319:0] INITVAL_34 = 320'd0;
    parameter [319:0] INITVAL_35 = 320'd0;
    parameter [319:0] INITVAL_36 = 320'd0;
    parameter [319:0] INITVAL_37 = 320'd0;
    parameter [319:0] INITVAL_38 = 320'd0;
    parameter [319:0] INITVAL_39 = 320'd0;
    parameter [319:0] INITVAL_3A = 320'd0;
    parameter [319:0] INITVAL_3B = 320'd0;
    parameter [319:0] INITVAL_3C = 320'd0;
    parameter [319:0] INITVAL_3D = 320'd0;
    parameter [319:0] INITVAL_3E = 320'd0;
    parameter [319:0] INITVAL_3F = 320'd0;

    reg [8:0] bytes [0:2047];
    integer place;
    // Each parameter holds sixteen words of 18 bits, every one in 20.
    wire [64 * 320 - 1:0] first = {
        INITVAL_3F, INITVAL_3E, INITVAL_3D, INITVAL_3C, INITVAL_3B, INITVAL_3A, INITVAL_39, INITVAL_38,
        INITVAL_37, INITVAL_36, INITVAL_35, INITVAL_34, INITVAL_33, INITVAL_32, INITVAL_31, INITVAL_30,
        INITVAL_2F, INITVAL_2E, INITVAL_2D, INITVAL_2C, INITVAL_2B, INITVAL_2A, INITVAL_29, INITVAL_28,
        INITVAL_27, INITVAL_26, INITVAL_25, INITVAL_24, INITVAL_23, INITVAL_22, INITVAL_21, INITVAL_20,
        INITVAL_1F, INITVAL_1E, INITVAL_1D, INITVAL_1C, INITVAL_1B, INITVAL_1A, INITVAL_19, INITVAL_18,
        INITVAL_17, INITVAL_16, INITVAL_15, INITVAL_14, INITVAL_13, INITVAL_12, INITVAL_11, INITVAL_10,
        INITVAL_0F, INITVAL_0E, INITVAL_0D, INITVAL_0C, INITVAL_0B, INITVAL_0A, INITVAL_09, INITVAL_08,
        INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04, INITVAL_03, INITVAL_02, INITVAL_01, INITVAL_00};
    initial
        for (place = 0; place < 2048; place = place + 1)
            bytes[place] = first[(place / 2) * 20 + (place % 2) * 9 +: 9];

    wire [35:0] written_a = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0,
        DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0};
    wire [17:0] written_b = written_a[35:18];
    wire [13:0] at_a = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0};
    wire [13:0] at_b = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0};

    // Three low bits of an address choose a bit, half of a byte or the like; the others a byte.
    wire [35:0] kept_a, kept_b, new_a, new_b;
    wire [3:0] enabled_a, enabled_b;
    reg [35:0] read_a = 0;
    reg [35:0] read_b = 0;
    generate
        if (DATA_WIDTH_A < 9) begin : part_a
            wire [8:0] mask = ((9'd1 << DATA_WIDTH_A) - 9'd1) << at_a[2:0];
            assign kept_a = {27'd0, bytes[at_a[13:3]] >> at_a[2:0]};
            assign new_a = {27'd0, (bytes[at_a[13:3]] & ~mask) | ((written_a[8:0] << at_a[2:0]) & mask)};
            assign enabled_a = 4'b0001;
        end else if (DATA_WIDTH_A == 9) begin : byte_a
            assign kept_a = {27'd0, bytes[at_a[13:3]]};
            assign new_a = {27'd0, written_a[8:0]};
            assign enabled_a = 4'b0001;
        end else if (DATA_WIDTH_A == 18) begin : two_a
            assign kept_a = {18'd0, bytes[{at_a[13:4], 1'd1}], bytes[{at_a[13:4], 1'd0}]};
            assign new_a = {18'd0, written_a[17:0]};
            assign enabled_a = {2'd0, at_a[1:0]};
        end else begin : four_a
            assign kept_a = 36'd0;
            assign new_a = written_a;
            assign enabled_a = at_a[3:0];
        end
        if (DATA_WIDTH_B < 9) begin : part_b
            wire [8:0] mask = ((9'd1 << DATA_WIDTH_B) - 9'd1) << at_b[2:0];
            assign kept_b = {27'd0, bytes[at_b[13:3]] >> at_b[2:0]};
            assign new_b = {27'd0, (bytes[at_b[13:3]] & ~mask) | ((written_b[8:0] << at_b[2:0]) & mask)};
            assign enabled_b = 4'b0001;
        end else if (DATA_WIDTH_B == 9) begin : byte_b
            assign kept_b = {27'd0, bytes[at_b[13:3]]};
            assign new_b = {27'd0, written_b[8:0]};
            assign enabled_b = 4'b0001;
        end else if (DATA_WIDTH_B == 18) begin : two_b
            assign kept_b = {18'd0, bytes[{at_b[13:4], 1'd1}], bytes[{at_b[13:4], 1'd0}]};
            assign new_b = {18'd0, written_b};
            assign enabled_b = {2'd0, at_b[1:0]};
        end else begin : four_b
            assign kept_b = {bytes[{at_b[13:5], 2'd3}], bytes[{at_b[13:5], 2'd2}], bytes[{at_b[13:5], 2'd1}], bytes[{at_b[13:5], 2'd0}]};
            assign new_b = 36'd0;
            assign enabled_b = 4'd0;
        end
    endgenerate

    wire [10:0] base_a = DATA_WIDTH_A == 36 ? {at_a[13:5], 2'd0} : DATA_WIDTH_A == 18 ? {at_a[13:4], 1'd0} : at_a[13:3];
    wire [10:0] base_b = DATA_WIDTH_B == 18 ? {at_b[13:4], 1'd0} : at_b[13:3];
    // While a port is reset it does not write.
    wire writes_a = CEA && WEA && !RSTA;
    wire writes_b = CEB && WEB && !RSTB;

    always @(posedge CLKA) begin
        if (writes_a && enabled_a[0]) bytes[base_a] <= new_a[8:0];
        if (writes_a && enabled_a[1]) bytes[base_a | 11'd1] <= new_a[17:9];
        if (writes_a && enabled_a[2]) bytes[base_a | 11'd2] <= new_a[26:18];
        if (writes_a && enabled_a[3]) bytes[base_a | 11'd3] <= new_a[35:27];
        if (RSTA) read_a <= 0;
        else if (CEA && (!WEA || WRITEMODE_A == "READBEFOREWRITE")) read_a <= kept_a;
        else if (CEA && WRITEMODE_A == "WRITETHROUGH") read_a <= written_a;
    end
    always @(posedge CLKB) begin
        if (writes_b && enabled_b[0]) bytes[base_b] <= new_b[8:0];
        if (writes_b && enabled_b[1]) bytes[base_b | 11'd1] <= new_b[17:9];
        if (RSTB) read_b <= 0;
        else if (CEB && (!WEB || WRITEMODE_B == "READBEFOREWRITE")) read_b <= kept_b;
        else if (CEB && WRITEMODE_B == "WRITETHROUGH") read_b <= {18'd0, written_b};
    end

    // A word of 36 bits takes the outputs of both ports.
    wire [17:0] out_a = DATA_WIDTH_B == 36 ? read_b[17:0] : read_a[17:0];
    wire [17:0] out_b = DATA_WIDTH_B == 36 ? read_b[35:18] : read_b[17:0];
    reg [17:0] late_a = 0;
    reg [17:0] late_b = 0;
    always @(posedge CLKA)
        if (RSTA) late_a <= 0;
        else if (OCEA) late_a <= out_a;
    always @(posedge CLKB)
        if (RSTB) late_b <= 0;
        else if (OCEB) late_b <= out_b;
    assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0} = REGMODE_A == "OUTREG" ? late_a : out_a;
    assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0} = REGMODE_B == "OUTREG" ? late_b : out_b;
endmodule

// A product of two factors, each of which may be signed. Registers of the factors and of the product obey the first
// clock and the first reset; the factors' the enable that a parameter names, the product's the first one.
module MULT18X18D(
    input A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0,
    input B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0,
    input C17, C16, C15, C14, C13, C12, C11, C10, C9, C8, C7, C6, C5, C4, C3, C2, C1, C0,
    input SIGNEDA, SIGNEDB, SOURCEA, SOURCEB, CLK0, CE0, CE1, CE2, RST0,
    output P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18,
    output P17, P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0
);
    parameter [31:0] REG_INPUTA_CLK = "NONE";
    parameter [23:0] REG_INPUTA_CE = "CE0";
    parameter [31:0] REG_INPUTA_RST = "RST0";
    parameter [31:0] REG_INPUTB_CLK = "NONE";
    parameter [23:0] REG_INPUTB_CE = "CE0";
    parameter [31:0] REG_INPUTB_RST = "RST0";
    parameter [31:0] REG_OUTPUT_CLK = "NONE";
    parameter [23:0] REG_OUTPUT_CE = "CE0";
    parameter [31:0] REG_OUTPUT_RST = "RST0";
    parameter GSR = "ENABLED";

    wire signed [18:0] a = {SIGNEDA & A17, A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0};
    wire signed [18:0] b = {SIGNEDB & B17, B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0};
    wire enabled_a = REG_INPUTA_CE == "CE2" ? CE2 : REG_INPUTA_CE == "CE1" ? CE1 : CE0;
    wire enabled_b = REG_INPUTB_CE == "CE2" ? CE2 : REG_INPUTB_CE == "CE1" ? CE1 : CE0;
    reg signed [18:0] held_a = 0;
    reg signed [18:0] held_b = 0;
    reg [35:0] held_product = 0;
    wire signed [18:0] factor_a = REG_INPUTA_CLK == "NONE" ? a : held_a;
    wire signed [18:0] factor_b = REG_INPUTB_CLK == "NONE" ? b : held_b;
    wire signed [37:0] product = factor_a * factor_b;
    always @(posedge CLK0) begin
        if (RST0) held_a <= 0;
        else if (enabled_a) held_a <= a;
        if (RST0) held_b <= 0;
        else if (enabled_b) held_b <= b;
        if (RST0) held_product <= 0;
        else if (CE0) held_product <= product[35:0];
    end
    assign {P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18,
        P17, P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0} =
        REG_OUTPUT_CLK == "NONE" ? product[35:0] : held_product;
endmodule
